"""The engine's sampler and schedule for the host's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kandinsky_ext.controls import HOST_CHOICE, Settings
from kandinsky_ext.errors import UserError

DEFAULT_SAMPLER = "DDIM"
DEFAULT_SCHEDULER = "Automatic"
SAMPLER_PREFIX = "Kandinsky "
"""Images say whose a sampler is that the host lacks."""


@dataclass(frozen=True)
class Chosen:
    """Names as the engine spells them, and remarks on what could not be as wished."""

    sampler: str
    scheduler: str
    remarks: tuple[str, ...] = ()


def choose(
    host_sampler: str | None,
    host_scheduler: str | None,
    settings: Settings,
    *,
    samplers: Sequence[str],
    schedulers: Sequence[str],
) -> Chosen:
    """What our own controls say, or else the host's fields.

    Older hosts have no field for the schedule and append it to the sampler: "DPM++ 2M Karras". A
    name of the host's that the engine lacks is replaced with a remark, as the host itself does;
    one in our own controls raises UserError with the names that there are.
    """
    sampler_name, scheduler_name = _split(host_sampler, samplers, schedulers)
    if (host_scheduler or DEFAULT_SCHEDULER) != DEFAULT_SCHEDULER or scheduler_name is None:
        scheduler_name = host_scheduler or DEFAULT_SCHEDULER
    remarks = []
    if settings.sampler == HOST_CHOICE:
        sampler = _find(sampler_name, samplers)
        if sampler is None:
            sampler = DEFAULT_SAMPLER if DEFAULT_SAMPLER in samplers else samplers[0]
            remarks.append(_remark("Sampler", host_sampler, sampler, samplers))
    else:
        sampler = _own("Kandinsky sampler", settings.sampler, samplers)
    if settings.scheduler == HOST_CHOICE:
        scheduler = _find(scheduler_name, schedulers)
        if scheduler is None:
            scheduler = DEFAULT_SCHEDULER
            remarks.append(_remark("Schedule type", scheduler_name, scheduler, schedulers))
    else:
        scheduler = _own("Kandinsky schedule type", settings.scheduler, schedulers)
    return Chosen(sampler, scheduler, tuple(remarks))


def _split(
    name: str | None, samplers: Sequence[str], schedulers: Sequence[str]
) -> tuple[str | None, str | None]:
    if name is not None:
        # Not every way from an image's parameters to a run leads through our paste.
        name = name.removeprefix(SAMPLER_PREFIX)
    if name is None or _find(name, samplers) is not None:
        return name, None
    for scheduler in schedulers:
        if name.lower().endswith(" " + scheduler.lower()):
            return name[: -len(scheduler) - 1], scheduler
    return name, None


def _find(name: str | None, offered: Sequence[str]) -> str | None:
    """Hosts write a schedule as "SGM Uniform", "sgm_uniform" or "SGMUniform"."""
    wanted = _bare(name or "")
    return next((known for known in offered if _bare(known) == wanted), None)


def _bare(name: str) -> str:
    return re.sub(r"[\s_]", "", name).lower()


def _own(label: str, name: str, offered: Sequence[str]) -> str:
    found = _find(name, offered)
    if found is None:
        raise UserError(f'"{label}" is {name!r}: expected {HOST_CHOICE}, {", ".join(offered)}')
    return found


def _remark(what: str, asked: str | None, used: str, offered: Sequence[str]) -> str:
    return f'{what}: Kandinsky has no "{asked}" and used {used}. It has: {", ".join(offered)}.'
