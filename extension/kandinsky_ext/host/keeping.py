"""How long the engine stays open after a run, and what else of the host closes it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any

from modules import sd_models, shared

from kandinsky_ext import ui
from kandinsky_ext.host import options, tools

_MARK = "kandinsky_unloads"


class _Keeping:
    def __init__(self) -> None:
        self._p: Any = None
        """The processing object whose end is the end of the run; those inside are closed before."""
        self._run: Any = None
        self._timer: threading.Timer | None = None

    def begins(self, p: Any) -> None:
        """p is about to use the engine."""
        self._stop_waiting()
        if self._p is None or self._run != shared.state.time_start:
            self._p, self._run = p, shared.state.time_start

    def closed(self, p: Any) -> None:
        """The host is done with p."""
        if self._p is not p:
            return
        self._p = None
        overrides = p.override_settings or {}
        if options.idle_minutes(overrides) == 0:
            ui.unload_engine(tools)
        else:
            self.wait(overrides)

    def wait(self, overrides: Mapping[str, Any]) -> None:
        """Closes the engine after the idle minutes of the settings, or of what overrides them, if
        they have any.
        """
        self._stop_waiting()
        minutes = options.idle_minutes(overrides)
        if minutes <= 0:
            return
        timer = threading.Timer(minutes * 60, tools.queued(lambda: self._idle(timer)))
        timer.daemon = True
        self._timer = timer
        timer.start()

    def _idle(self, timer: threading.Timer) -> None:
        # A run may have begun while this waited for the host's lock.
        if self._timer is timer:
            self._timer = None
            ui.unload_engine(tools)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


keeping = _Keeping()
"""As this module survives "Reload UI", so does what it knows."""


def hook_unload() -> None:
    """Makes the host's unloading of its model, by its button or its web API, close the engine too.
    Does nothing the second time.
    """
    unload = getattr(sd_models, "unload_model_weights", None)
    if unload is None or hasattr(unload, _MARK):
        return

    @functools.wraps(unload)
    def unload_both(*args: Any, **kwargs: Any) -> Any:
        result = unload(*args, **kwargs)
        # The host takes no lock for this, and some call it under the lock.
        tools.when_free(lambda: ui.unload_engine(tools))
        return result

    setattr(unload_both, _MARK, True)
    sd_models.unload_model_weights = unload_both
