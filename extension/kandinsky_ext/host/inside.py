"""Runs inside a run, such as those of a detailer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kandinsky_ext.controls import TITLE
from kandinsky_ext.host import ignored


@contextmanager
def told(run: Any, p: Any) -> Iterator[None]:
    """Within, what is remarked on p is said of the run, too, and so is why p cannot be done: of
    what is inside a run the host shows no remarks, and of an error only a trace on its console.

    run: the processing object that p may run inside of, or None.
    """
    if run is None or run is p:
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
