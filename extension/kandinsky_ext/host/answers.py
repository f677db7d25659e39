"""What an error is for the program that called the host's web API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kandinsky_ext.controls import TITLE
from kandinsky_ext.engine import EngineUnavailableError
from kandinsky_ext.engine_folder import PACKAGE
from kandinsky_ext.errors import UserError

MISTAKE = 422
"""What the host answers to a field of a wrong type."""
UNAVAILABLE = 503


def of(p: Any, error: Exception) -> Exception:
    """The error to raise. A page shows any; of what an API call raises, the host takes the status
    from an HTTPException, and answers 500 to all others, with a trace on the console.
    """
    return as_http(error) if getattr(p, "is_api", False) else error


def as_http(error: Exception) -> Exception:
    """An HTTPException for what the caller can mend, or for an engine that is not there; any other
    error as it is.
    """
    engine = sys.modules.get(PACKAGE)
    mistakes = (UserError,) if engine is None else (UserError, engine.InvalidArgumentError)
    if not isinstance(error, mistakes):
        return error
    # Not at the top: it is only there for hosts that serve pages.
    from fastapi import HTTPException  # noqa: PLC0415

    status = UNAVAILABLE if isinstance(error, EngineUnavailableError) else MISTAKE
    return HTTPException(status, detail=f"{TITLE}: {error}")


@contextmanager
def told(p: Any) -> Iterator[None]:
    """Turns what is raised within into what p's caller is to get."""
    if getattr(p, "is_api", False):
        with told_as_http():
            yield
    else:
        yield


@contextmanager
def told_as_http() -> Iterator[None]:
    """Likewise, for what only programs call."""
    try:
        yield
    except Exception as error:
        answer = as_http(error)
        if answer is error:
            raise
        raise answer from error
