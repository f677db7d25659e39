"""The engine's sampler and schedule for the host's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kandinsky_ext.controls import BY_FIELD, HOST_CHOICE, Settings
from kandinsky_ext.errors import UserError

DEFAULT_SCHEDULER = "Automatic"
SAMPLER_PREFIX = "Kandinsky "
"""Images say whose a sampler is that the host lacks."""

SAMPLERS_INSTEAD = {
    # The same steps, with guidance by the other formula.
    "DDIM CFG++": "DDIM",
    # Heun's steps, some of them taken again from more noise.
    "Restart": "Heun",
    # The same solver's earlier forms; the second one chooses its own number of steps.
    "DPM fast": "DPM++ 2M",
    "DPM adaptive": "DPM++ 2M",
    "DPM++ 2M SDE Heun": "DPM++ 2M SDE",
    # Both extrapolate from up to four earlier steps.
    "PLMS": "LMS",
}
"""What is nearest to samplers of hosts that the engine lacks; for others, the model's own."""
SAMPLERS_REFUSED = {
    "LCM": "It needs a model distilled for it; with Kandinsky it gives no clear image."
}


@dataclass(frozen=True)
class Chosen:
    """Names as the engine spells them, remarks on what could not be as wished, and what that was,
    such as "sampler Restart".
    """

    sampler: str
    scheduler: str
    remarks: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


def choose(
    host_sampler: str | None,
    host_scheduler: str | None,
    settings: Settings,
    *,
    own_sampler: str,
    samplers: Sequence[str],
    schedulers: Sequence[str],
) -> Chosen:
    """What our own controls say, or else the host's fields.

    Older hosts have no field for the schedule and append it to the sampler: "DPM++ 2M Karras". A
    name of the host's that the engine lacks is replaced by the nearest one, or by own_sampler, with
    a remark, or refused where it needs another model; one in our own controls raises UserError with
    the names that there are. own_sampler: the model's, `EngineInfo.own_sampler`.
    """
    sampler_name, scheduler_name = _split(host_sampler, samplers, schedulers)
    if (host_scheduler or DEFAULT_SCHEDULER) != DEFAULT_SCHEDULER or scheduler_name is None:
        scheduler_name = host_scheduler or DEFAULT_SCHEDULER
    remarks, replaced = [], []
    if settings.sampler == HOST_CHOICE:
        sampler = _find(sampler_name, samplers)
        if sampler is None:
            if (reason := _of(SAMPLERS_REFUSED, sampler_name)) is not None:
                raise UserError(f'Sampler: Kandinsky has no "{host_sampler}". {reason}')
            sampler = _find(_of(SAMPLERS_INSTEAD, sampler_name) or own_sampler, samplers)
            sampler = sampler or samplers[0]
            replaced.append(f"sampler {sampler_name}")
            remarks.append(_remark("Sampler", host_sampler, sampler, samplers))
    else:
        sampler = _own("sampler", settings, samplers)
    if settings.scheduler == HOST_CHOICE:
        scheduler = _find(scheduler_name, schedulers)
        if scheduler is None:
            scheduler = DEFAULT_SCHEDULER
            replaced.append(f"schedule type {scheduler_name}")
            remarks.append(_remark("Schedule type", scheduler_name, scheduler, schedulers))
    else:
        scheduler = _own("scheduler", settings, schedulers)
    return Chosen(sampler, scheduler, tuple(remarks), tuple(replaced))


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


def _of(table: Mapping[str, str], name: str | None) -> str | None:
    """The entry of a name, however a host writes it."""
    known = _find(name, list(table))
    return None if known is None else table[known]


def _bare(name: str) -> str:
    return re.sub(r"[\s_]", "", name).lower()


def _own(field: str, settings: Settings, offered: Sequence[str]) -> str:
    row, name = BY_FIELD[field], getattr(settings, field)
    found = _find(name, offered)
    if found is None:
        expected = ", ".join([row.shown(HOST_CHOICE), *offered])
        raise UserError(f'"{row.label}" is {name!r}: expected {expected}')
    return found


def _remark(what: str, asked: str | None, used: str, offered: Sequence[str]) -> str:
    return f'{what}: Kandinsky has no "{asked}" and used {used}. Available: {", ".join(offered)}.'
