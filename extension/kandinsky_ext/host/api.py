"""Routes of our own beside those of the host's web API: there where these are, for those who may
use them.
"""

from __future__ import annotations

from typing import Any

from modules import script_callbacks

from kandinsky_ext import controls, engine, model_hash, models, status, ui
from kandinsky_ext.downloads import downloads
from kandinsky_ext.engine import OpenEngine, keeper
from kandinsky_ext.host import answers, run, tools
from kandinsky_ext.host.keeping import keeping

PREFIX = "/kandinsky/v1"
HOST_ROUTE = "/sdapi/v1/progress"
"""One that asks for the host's credentials, if it wants any."""


def register() -> None:
    """Once after each time that the host has forgotten its callbacks."""
    script_callbacks.on_app_started(_add)


def _add(_demo: Any, app: Any) -> None:
    """Adds the routes to the host's FastAPI app; none where its own API is off."""
    hosts = [route for route in app.routes if getattr(route, "path", "") == HOST_ROUTE]
    if not hosts or any(getattr(route, "path", "").startswith(PREFIX) for route in app.routes):
        return
    # Not at the top: it is only there for hosts that serve pages.
    from fastapi import Body  # noqa: PLC0415

    def load(
        model: str = Body(controls.AUTOMATIC_MODEL, embed=True),
        precision: str = Body(engine.AUTOMATIC_PRECISION, embed=True),
    ) -> dict[str, Any]:
        """Opens a model as a run with these two controls would."""
        given = {"model": model, "precision": precision}
        with answers.told_as_http():
            settings = controls.read_named(given)
            tools.queued(lambda: _open(settings))()
        return state()

    for method, path, function in (
        ("GET", "models", list_models),
        ("GET", "state", state),
        ("GET", "download", downloads.told),
        ("POST", "load", load),
        ("POST", "unload", unload),
    ):
        app.add_api_route(
            f"{PREFIX}/{path}", function, methods=[method], dependencies=hosts[0].dependencies
        )


def list_models() -> list[dict[str, Any]]:
    """The models that a run may name, in the order in which "Automatic" takes the first."""
    return [
        {"name": model.name, "hash": model_hash.of(model.folder)}
        for model in models.find(tools.model_roots())
    ]


def state() -> dict[str, Any]:
    """What is loaded, and what stands in the way. Answers during a run, too."""
    opened = keeper.opened()
    return {
        "loaded": None if opened is None else _told(opened),
        "problem": status.problem(tools),
    }


def unload() -> dict[str, Any]:
    """Closes the engine, after the run that may be going on."""
    tools.queued(lambda: ui.unload_engine(tools))()
    return state()


def _open(settings: controls.Settings) -> None:
    run.open_engine(settings, {})
    keeping.wait({})


def _told(opened: OpenEngine) -> dict[str, Any]:
    info = opened.engine.info
    return {
        "model": status.model_name(opened, tools),
        "precision": info.precision,
        "device": info.device,
    }
