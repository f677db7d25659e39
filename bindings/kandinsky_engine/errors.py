"""One class per error code of the engine, each also the builtin that fits, where one does."""


class KandinskyError(Exception):
    """Anything that the engine refuses or fails at, in words for the person at the screen."""


class InvalidArgumentError(KandinskyError, ValueError):
    """A value out of range, a wrong size or array, text that is not UTF-8."""


class NotFoundError(KandinskyError, FileNotFoundError):
    """A folder, file or component is missing."""


class CorruptFileError(KandinskyError, ValueError):
    """A file is truncated, malformed, or holds weights that are not numbers."""


class UnsupportedError(KandinskyError, NotImplementedError):
    """Well-formed, but not something this build can do."""


class OutOfMemoryError(KandinskyError, MemoryError):
    """Memory of the machine or of its accelerator ran out; the engine stays usable."""


class CancelledError(KandinskyError):
    """Engine.cancel() or a callback ended the job."""


class BusyError(KandinskyError, RuntimeError):
    """The engine is running another job."""


class IncompatibleError(KandinskyError, RuntimeError):
    """Parts that do not fit each other: folders, file versions, library versions."""


class InternalError(KandinskyError, RuntimeError):
    """A broken invariant of the engine: please report it."""


class IoError(KandinskyError, OSError):
    """The system cannot read or write a file: a full disk, a missing permission, a long name."""
