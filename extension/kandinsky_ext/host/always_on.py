"""Kandinsky for what another script does: in force from the host's first hook to the end of the
processing object that it was switched on for.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from modules import processing, shared

from kandinsky_ext import controls, presets
from kandinsky_ext.host import answers, axes, backend, others, run, wishes
from kandinsky_ext.host.job import RunJob
from kandinsky_ext.host.keeping import keeping

_MARK = "kandinsky_closes"


class FailedJob:
    """Stands for a job that cannot be done.

    The host swallows what a hook raises and would go on with Stable Diffusion; what a sampler or an
    encoder raises reaches the person.
    """

    model_name = controls.TITLE

    def __init__(self, p: Any, error: Exception) -> None:
        self._error = error
        self._answer = answers.of(p, error)

    def told(self) -> str:
        """The error in words."""
        return f"{controls.TITLE}: {self._error}"

    def prepare(self, *_args: Any, **_kwargs: Any) -> Any:
        raise self._error

    def started(self) -> None:
        """Nothing yet: see above."""

    def refuse(self, *_args: Any, **_kwargs: Any) -> Any:
        """Raises the error as the caller is to get it."""
        raise self._answer

    sample = sample_img2img = encode = decode = refuse


class _Active:
    def __init__(
        self,
        p: Any,
        facade: Any,
        job: RunJob | FailedJob,
        settings: controls.Settings | None,
        undo: ExitStack,
    ) -> None:
        self.p = p
        self.facade = facade
        self.job = job
        self.settings = settings
        self.undo = undo
        self.run = shared.state.time_start


_active: list[_Active] = []
"""Empty, or the one that is in force."""


def setup(p: Any, enabled: bool, given: Any) -> None:
    """The host's hook before the chosen script runs. Called also for runs inside a run, which find
    Kandinsky there and change nothing.

    given: None, or the values of the controls that a program has sent.
    """
    if _active and _active[0].run != shared.state.time_start:
        _end()
    if not enabled or _active:
        return
    job: RunJob | FailedJob
    settings = None
    try:
        others.check(p)
        settings = _settings(p) if given is None else controls.read_given(given)
        job = run.make_job(p, settings)
        p.steps = presets.PresetSteps(job.steps or p.steps, given=p.steps)
    except Exception as error:  # whatever it is, see FailedJob
        job = FailedJob(p, error)
    undo = ExitStack()
    undo.enter_context(wishes.options_of(p))
    facade = undo.enter_context(backend.in_force(job, p.override_settings))
    _active.append(_Active(p, facade, job, settings, undo))


def _settings(p: Any) -> controls.Settings:
    """Those of the script in the dropdown, whose values the page hands over whichever is chosen. A
    program's are where it sends them.
    """
    if getattr(p, "is_api", False):
        return controls.read([])
    for script in getattr(p.scripts, "scripts", ()):
        if script.title() == controls.TITLE:
            return controls.read(p.script_args[script.args_from : script.args_to])
    return controls.read([])


def before_process(p: Any) -> None:
    """The host's hook before each time that its loop works on some processing object."""
    if isinstance(getattr(p.init, "__self__", None), FailedJob):
        del p.init
    if not _active:
        return
    active = _active[0]
    if isinstance(active.facade.job, FailedJob):
        # That was about an earlier processing object, another cell of a plot for instance.
        active.facade.work_on(active.job)
    # Ours may be the chosen script as well: then it has its own job, and has prepared p for it.
    if active.facade.job is active.job:
        try:
            _change(active, p)
            active.job.prepare(p, script=False)
        except Exception as error:  # likewise
            failed = FailedJob(p, error)
            active.facade.work_on(failed)
            _fail(p, failed)


def _change(active: _Active, p: Any) -> None:
    """Another job for a cell of a plot. What runs inside the cell has no settings of its own, and
    is generated with the cell's.
    """
    if active.settings is None:
        return
    settings = axes.settings_of(p, active.settings)
    if settings is not None:
        active.job = run.make_job(p, settings)
        active.facade.work_on(active.job)


def _fail(p: Any, job: FailedJob) -> None:
    """Lets the host go on to where the job raises its error. Some scripts keep going after that, a
    plot with an empty cell: there the remark tells why.
    """
    wishes.switch_off(p)
    # Before the host works on fields that may be what is wrong.
    p.init = job.refuse
    p.comment(job.told())


def closed(p: Any) -> None:
    """The host is done with p."""
    if _active and _active[0].p is p:
        _end()


def hook_close() -> None:
    """Makes the host tell when it is done. On the class, not on p: scripts copy p with its
    attributes, and the end of a copy is not the end of the run. Does nothing the second time.
    """
    kind = processing.StableDiffusionProcessing
    close = kind.close
    if hasattr(close, _MARK):
        return

    def close_and_end(self: Any) -> None:
        try:
            close(self)
        finally:
            closed(self)
            keeping.closed(self)

    setattr(close_and_end, _MARK, True)
    kind.close = close_and_end


def _end() -> None:
    active = _active.pop()
    wishes.forget(active.p)
    shared.state.textinfo = None
    active.undo.close()
