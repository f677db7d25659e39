"""An engine on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any


class _Callback:
    """A callback of the engine, which comes to the thread that waits for the engine."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, engine: EngineThread, function: Callable[..., Any] | None) -> None:
        engine.set_callback(self._name, function)


class EngineThread:
    """An engine whose calls run on one thread, which ends when it is closed.

    For each thread that computes, torch keeps what oneDNN has prepared, 0.3 MB for a shape of a
    matrix product, until the thread ends. The host's threads end with the host.
    """

    on_progress = _Callback()
    on_message = _Callback()

    def __init__(self, open_engine: Callable[[], Any]) -> None:
        """Raises what open_engine raises."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kandinsky")
        self._asked: SimpleQueue[Callable[[], None] | None] | None = None
        """What the running call asks of the thread that waits for it; None between calls."""
        try:
            self._engine = self._call(open_engine)
        except BaseException:
            self._thread.shutdown()
            raise

    def __getattr__(self, name: str) -> Any:
        """An attribute of the engine; its methods are called on the thread."""
        value = getattr(self._engine, name)
        return partial(self._call, value) if callable(value) else value

    def close(self) -> None:
        """Closes the engine and ends the thread."""
        self._call(self._engine.close)
        self._thread.shutdown()

    def set_callback(self, name: str, function: Callable[..., Any] | None) -> None:
        """Has the engine call this function, on the thread that waits, or none."""
        setattr(self._engine, name, function and partial(self._ask, function))

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._asked is not None:
            # From a callback. The engine itself says which calls it takes meanwhile.
            return function(*args, **kwargs)
        asked = self._asked = SimpleQueue()
        try:
            result = self._thread.submit(function, *args, **kwargs)
            result.add_done_callback(lambda _: asked.put(None))
            while (answer := asked.get()) is not None:
                answer()
        finally:
            self._asked = None
        return result.result()

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """The function's result, from the thread that waits."""
        answered: Future[Any] = Future()

        def answer() -> None:
            try:
                answered.set_result(function(*args))
            except BaseException as error:
                answered.set_exception(error)

        assert self._asked is not None
        self._asked.put(answer)
        return answered.result()
