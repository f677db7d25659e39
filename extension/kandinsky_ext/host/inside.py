"""Runs inside a run, such as those of a detailer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kandinsky_ext.controls import TITLE
from kandinsky_ext.host import ignored, wishes

_runs: list[Any] = []
"""The processing objects that the host's loop works on now, the outermost first."""


def noticed(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The host's loop, which then is known to work on its processing object."""

    @functools.wraps(loop)
    def working(p: Any, *args: Any, **kwargs: Any) -> Any:
        _runs.append(p)
        try:
            with wishes.names_kept(p):
                return loop(p, *args, **kwargs)
        finally:
            _runs.pop()

    return working


@contextmanager
def told(p: Any) -> Iterator[None]:
    """Within, what is remarked on p is said of the run that p is inside of, too, and so is why p
    cannot be done: of what is inside a run the host shows no remarks, and of an error only a trace
    on its console.
    """
    run = _runs[0] if _runs else p
    if run is p:
        yield
        return
    remark = ignored.remark(p, is_inside=True)
    if remark is not None:
        p.comment(remark)
    try:
        yield
    except Exception as error:
        run.comment(f"{TITLE}, in a run inside this one: {error}")
        raise
    finally:
        for line in p.comments:
            run.comment(line)
