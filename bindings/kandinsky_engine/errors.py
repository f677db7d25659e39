"""One class per error code of the engine, each also derived from the matching builtin, if any."""

from typing import ClassVar


class KandinskyError(Exception):
    """Any error of the engine, with a message for the user."""

    status: ClassVar[int]
    """The kandinsky_status of kandinsky.h."""


class InvalidArgumentError(KandinskyError, ValueError):
    """A value out of range, a wrong size or array, text that is not UTF-8."""

    status = 1


class NotFoundError(KandinskyError, FileNotFoundError):
    """A folder, file or component is missing."""

    status = 2


class CorruptFileError(KandinskyError, ValueError):
    """A file is truncated, malformed, or holds weights that are not numbers."""

    status = 3


class UnsupportedError(KandinskyError, NotImplementedError):
    """Well-formed, but not supported by this build."""

    status = 4


class OutOfMemoryError(KandinskyError, MemoryError):
    """The machine or its accelerator ran out of memory; the engine stays usable."""

    status = 5


class CancelledError(KandinskyError):
    """Engine.cancel() or a callback ended the job."""

    status = 6


class BusyError(KandinskyError, RuntimeError):
    """The engine is running another job."""

    status = 7


class IncompatibleError(KandinskyError, RuntimeError):
    """Parts that do not fit together: folders, file versions, library versions."""

    status = 8


class InternalError(KandinskyError, RuntimeError):
    """A broken invariant of the engine: please report it."""

    status = 9


class IoError(KandinskyError, OSError):
    """A file cannot be read or written: a full disk, a missing permission, a long name."""

    status = 10
