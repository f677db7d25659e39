"""The engine's package, and the one engine that stays open between runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from kandinsky_ext import preview
from kandinsky_ext.engine_folder import PACKAGE, ROOT, engine_folder, python_tag, torch_version
from kandinsky_ext.engine_thread import EngineThread
from kandinsky_ext.errors import UserError
from kandinsky_ext.get import known
from kandinsky_ext.loading import Loading, weight_files
from kandinsky_ext.loras import Loras
from kandinsky_ext.memory import EncodedImages

AUTOMATIC_PRECISION = "auto"


class EngineUnavailableError(UserError):
    """The engine's package is missing or does not load; the message says why and what to do."""


def load_package() -> ModuleType:
    """Imports the engine built by install.py for this torch, or else an installed one.

    Raises EngineUnavailableError. Nothing is remembered after a failure: mending it and reloading
    the page is enough.
    """
    if PACKAGE in sys.modules:
        return sys.modules[PACKAGE]
    try:
        folder = engine_folder()
    except PackageNotFoundError:
        raise EngineUnavailableError(
            "Kandinsky needs torch, which this Python does not have."
        ) from None
    # Python keeps that a folder was not there, and parts of a package that failed.
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
    path = sys.path
    sys.path = [str(folder), *path]
    try:
        return importlib.import_module(PACKAGE)
    except ModuleNotFoundError as error:
        if error.name != PACKAGE:
            raise EngineUnavailableError(_does_not_load(error)) from error
        raise EngineUnavailableError(
            f"The Kandinsky engine is not built for torch {torch_version()} and Python "
            f"{python_tag()}. "
            f'Restart the web UI to build it, or run "{sys.executable}" "{ROOT / "install.py"}", '
            "which shows what is missing, and press Reload UI."
        ) from error
    except (ImportError, OSError) as error:
        raise EngineUnavailableError(_does_not_load(error)) from error
    finally:
        sys.path = path


def _does_not_load(error: Exception) -> str:
    text = str(error)
    # The package's own words begin like ours and say more.
    return text if "Kandinsky" in text else f"The Kandinsky engine cannot be loaded: {text}"


def building() -> str | None:
    """How far an installer is that is at work now, in its words; None if none is."""
    try:
        lock = (engine_folder().parent / "lock").open(encoding="utf-8")
    except (OSError, PackageNotFoundError):
        return None
    with lock:
        import fcntl  # noqa: PLC0415  there where an installer makes a lock

        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock.read() or "beginning"
    return None


def problem() -> str | None:
    """Why there is no engine, or None if there is one."""
    try:
        load_package()
    except EngineUnavailableError as error:
        return str(error)
    return None


def offered(what: Literal["samplers", "schedulers"]) -> list[str]:
    """The names that the engine's package lists; none without it."""
    try:
        return list(getattr(load_package(), what)())
    except EngineUnavailableError:
        return []


def options_of_opening() -> set[str]:
    """Names of the options that an engine is opened with; none without the engine's package."""
    try:
        return {option.name for option in load_package().options("engine")}
    except EngineUnavailableError:
        return set()


def families() -> tuple[str, ...]:
    """What the engine generates with."""
    try:
        return tuple(load_package().families())
    except EngineUnavailableError:
        return known.FAMILIES


@dataclass(frozen=True)
class EngineKey:
    """What an engine was opened with; another key needs another engine, but see `Keeper`."""

    model_dir: Path
    precision: str
    others: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, model_dir: Path, **options: Any) -> EngineKey:
        """options: any of the engine's; those that only jobs take do not count."""
        own = taken(load_package(), "engine", options)
        return cls(model_dir, own.pop("precision"), tuple(sorted(own.items())))


def taken(package: ModuleType, operation: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that an operation of the engine has."""
    known = (option.name for option in package.options(operation))
    return {name: options[name] for name in known if name in options}


class OpenEngine:
    """An open engine and what is worth keeping with it.

    Not thread-safe: the host's queue lock is around it.
    """

    def __init__(self, package: ModuleType, key: EngineKey) -> None:
        self.package = package
        self.key = key
        self.engine = EngineThread(
            lambda: package.Engine(str(key.model_dir), precision=key.precision, **dict(key.others))
        )
        self._merged: Loras = {}
        self.encoded = EncodedImages(self.engine)
        self._projection: preview.Projection | None = None
        self.memory = self._plan()
        """For images of the model's own size; None where there is no plan."""
        prior = self.engine.info.prior_dir
        folders = [key.model_dir, *([Path(prior)] if prior else [])]
        self.loading = Loading(
            key.model_dir.name,
            [file for folder in folders for file in weight_files(folder)],
        )

    def projection(self) -> preview.Projection:
        """The map from this model's latents to colours.

        The first call encodes one small image.
        """
        if self._projection is None:
            self._projection = preview.measure(self.engine)
        return self._projection

    def changes(self) -> dict[str, str]:
        """What of the weights is not the model's own, by option, each file with a mark of its
        content.
        """
        lines = self.engine.info.changes.splitlines()
        return dict(line.split(": ", 1) for line in lines)

    def merge(self, loras: Loras) -> None:
        """Merges these LoRAs into the weights, and no others. Only what they change is loaded
        again, with the next image, and nothing if they are the same.

        Raises UserError for one that does not fit the model, with nothing changed.
        """
        if loras == self._merged:
            return
        try:
            self.engine.set_loras(list(loras))
        except self.package.KandinskyError as error:
            raise UserError(f"Lora: {error}") from error
        self._merged = loras

    def _plan(self) -> Any:
        """Plans are for the memory of a CPU, which may be too small for any."""
        if self.engine.info.device == "cpu":
            size = self.engine.info.native_size
            with suppress(self.package.KandinskyError):
                return self.engine.plan_memory(size, size)
        return None

    def close(self) -> None:
        self.encoded.clear()
        self.engine.close()


class Keeper:
    """Holds at most one open engine. As this module survives "Reload UI", so does the engine."""

    def __init__(self) -> None:
        self._open: OpenEngine | None = None
        self._automatic: dict[EngineKey, str] = {}
        """What precision each key got that left it to the engine."""

    def get(self, key: EngineKey) -> OpenEngine:
        """The engine for this key. The one for another key is closed first: two rarely fit in
        memory. Images name the precision that they were generated with, so one that only calls it
        by another name stays open.

        Raises EngineUnavailableError, or what opening an engine raises.
        """
        package = load_package()
        if self._open is not None and self._serves(self._open, key):
            return self._open
        self.unload()
        self._open = OpenEngine(package, key)
        if key.precision == AUTOMATIC_PRECISION:
            self._automatic[key] = self._open.engine.info.precision
        return self._open

    def opened(self) -> OpenEngine | None:
        """The engine that is open now."""
        return self._open

    def _serves(self, opened: OpenEngine, key: EngineKey) -> bool:
        if replace(opened.key, precision=key.precision) != key:
            return False
        wanted = key.precision
        if wanted == AUTOMATIC_PRECISION:
            # Only opening it tells what the engine takes: on a CPU it measures.
            wanted = self._automatic.get(key, AUTOMATIC_PRECISION)
        return wanted in (opened.key.precision, opened.engine.info.precision)

    def unload(self) -> bool:
        """Closes the engine and gives its memory back. Returns whether there was one."""
        if self._open is None:
            return False
        closing, self._open = self._open, None
        closing.close()
        return True


keeper = Keeper()
