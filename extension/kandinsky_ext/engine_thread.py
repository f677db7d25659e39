"""An engine on a thread of its own."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

Work = Callable[[], None]


def _work(calls: SimpleQueue[Work | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # it holds what the caller holds


class EngineThread:
    """An engine whose calls run on one thread, which ends when it is closed.

    For each thread that computes, torch keeps what oneDNN has prepared, 0.3 MB for a shape of a
    matrix product, until the thread ends. The host's threads end with the host, so what they
    prepare would stay when the engine is unloaded.
    """

    def __init__(self, open_engine: Callable[[], Any]) -> None:
        """Raises what open_engine raises."""
        self._engine: Any = None
        self._process = os.getpid()
        self._is_at_work = threading.Lock()
        self._asked: SimpleQueue[Work | None] = SimpleQueue()
        """What the running call asks of the thread that waits for it."""
        calls: SimpleQueue[Work | None] = SimpleQueue()
        self._calls = calls
        # At the end of Python the engine cancels the jobs of such threads.
        self._thread = threading.Thread(target=_work, args=(calls,), name="kandinsky", daemon=True)
        self._end = weakref.finalize(self, calls.put, None)
        self._thread.start()
        try:
            self._engine = self._call(open_engine)
        except BaseException:
            self._end_thread()
            raise

    def __getattr__(self, name: str) -> Any:
        """An attribute of the engine; its methods are called on the thread."""
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._engine, name)
        return partial(self._call, value) if callable(value) else value

    def cancel(self) -> None:
        """Cancels the running job, from any thread."""
        self._engine.cancel()

    def close(self) -> None:
        """Closes the engine and ends the thread."""
        try:
            self._call(self._engine.close)
        finally:
            self._end_thread()

    def call_back(
        self,
        on_progress: Callable[[Any], Any] | None = None,
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        """Has the engine call these from now on, on the thread that waits for it, and no others."""
        self._engine.on_progress = on_progress and partial(self._ask, on_progress)
        self._engine.on_message = on_message and partial(self._ask, on_message)

    def _end_thread(self) -> None:
        self._end()
        # A job may go on: this is one of its callbacks, or another thread.
        if not self._is_at_work.locked():
            self._thread.join()

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_usable = self._end.alive and os.getpid() == self._process
        if not is_usable or not self._is_at_work.acquire(blocking=False):
            # Closed, forked, or from a callback or beside a job: the engine says what it takes.
            return function(*args, **kwargs)
        try:
            return self._wait_for(partial(function, *args, **kwargs))
        finally:
            self._is_at_work.release()

    def _wait_for(self, work: Callable[[], Any]) -> Any:
        """The result of `work` on the thread. Meanwhile this one does what it asks for."""
        asked = self._asked = SimpleQueue()
        result: Future[Any] = Future()
        self._calls.put(partial(_run, work, result, asked))
        interrupt = None
        is_over = False
        while not is_over:
            try:
                _serve(asked)
                is_over = True
            except BaseException as error:  # noqa: PERF203  such as Ctrl-C, which cancels the job
                interrupt = error
                if self._engine is not None:
                    self._engine.cancel()
        try:
            if interrupt is not None:
                raise interrupt
            return result.result()
        finally:
            del result, interrupt  # else they hold themselves, see _settle()

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """The function's result, from the thread that waits."""
        if threading.current_thread() is not self._thread:
            return function(*args)
        answer: Future[Any] = Future()
        self._asked.put(partial(_settle, answer, partial(function, *args)))
        try:
            return answer.result()
        finally:
            del answer


def _run(work: Callable[[], Any], result: Future[Any], asked: SimpleQueue[Work | None]) -> None:
    _settle(result, work)
    del result  # likewise
    asked.put(None)


def _serve(asked: SimpleQueue[Work | None]) -> None:
    while (answer := asked.get()) is not None:
        answer()


def _settle(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
        # The error's traceback holds this frame and those that called it, and so would hold itself
        # and all that the caller holds, until Python looks for such cycles.
        del future
