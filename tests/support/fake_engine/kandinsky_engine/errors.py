class KandinskyError(Exception):
    pass


class InvalidArgumentError(KandinskyError, ValueError):
    pass


class NotFoundError(KandinskyError, FileNotFoundError):
    pass


class CancelledError(KandinskyError):
    pass


class IncompatibleError(KandinskyError, RuntimeError):
    pass
