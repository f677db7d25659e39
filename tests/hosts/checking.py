"""What a check is, and what checks share."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from host import Host, Made
from PIL import Image


class CheckError(Exception):
    """The host or the extension does not do what it should."""


class Absent(Exception):  # noqa: N818  it is no error
    """The host has no such thing, whatever the extension does."""


def fail(what: str) -> NoReturn:
    raise CheckError(what)


def require(condition: object, what: str) -> None:
    if not condition:
        fail(what)


def same(found: Any, expected: Any, what: str) -> None:
    require(found == expected, f"{what}: {found!r} instead of {expected!r}")


@dataclass
class Context:
    """What checks work on."""

    host: Host
    kind: str
    """Such as "A1111"; see check_host.kind_of."""
    extension: Path
    stand_in: Path
    program: Path
    model: Path
    place: Path
    report: Path
    controls: tuple[Any, ...]
    boot_timeout: float
    detector: Path | None = None
    """See check_host's --detector."""
    are_others_beside: bool = False
    base: Made | None = None
    kept: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    """What the probe told before the first run."""
    versions: dict[str, str] = field(default_factory=dict)

    def control(self, field: str) -> Any:
        """The row of that name in the extension's table."""
        return next(row for row in self.controls if row.field == field)

    def keep(self, name: str, pixels: np.ndarray) -> None:
        """Puts an image into the report."""
        Image.fromarray(pixels).save(self.report / f"{name}.png")
        self.kept.append(f"{name}.png")


Check = Callable[[Any], str]


@dataclass
class Result:
    name: str
    outcome: str
    """"passed", "failed" or "absent"."""
    seconds: float
    said: str
    about: str


class Checks:
    """Checks in the order in which they are declared. A check returns what it saw, and raises
    CheckError, Absent, or whatever went wrong.
    """

    def __init__(self) -> None:
        self.all: list[Check] = []

    def add(self, check: Check) -> Check:
        self.all.append(check)
        return check


def run_check(check: Check, subject: Any) -> Result:
    began = time.monotonic()
    try:
        outcome, said = "passed", check(subject)
    except Absent as reason:
        outcome, said = "absent", str(reason)
    except CheckError as error:
        outcome, said = "failed", str(error)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        outcome, said = "failed", f"{type(error).__name__} at {where}: {error}"
    about = (check.__doc__ or "").strip().splitlines()
    return Result(
        check.__name__, outcome, time.monotonic() - began, said, about[0] if about else ""
    )
