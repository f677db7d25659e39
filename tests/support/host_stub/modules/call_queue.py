import threading

queue_lock = threading.Lock()


def wrap_queued_call(func):
    def wrapped(*args, **kwargs):
        with queue_lock:
            return func(*args, **kwargs)

    return wrapped
