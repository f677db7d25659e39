"""An engine on a thread of its own."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "extension"))

from kandinsky_ext.engine_thread import EngineThread

here = threading.get_ident


class Engine:
    size = 64

    def __init__(self):
        self.threads = [here()]
        self.on_progress = self.on_message = None
        self.closed = False

    def job(self, steps, *, fails=False):
        self.threads.append(here())
        answers = [self.on_progress(step) for step in range(steps)] if self.on_progress else []
        if fails:
            raise ValueError("the job failed")
        return answers

    def close(self):
        self.threads.append(here())
        self.closed = True


@pytest.fixture
def engine():
    thread = EngineThread(Engine)
    yield thread
    thread.close()


def test_all_calls_run_on_one_thread_which_is_another(engine):
    engine.job(1)
    caller = threading.Thread(target=engine.job, args=(1,))
    caller.start()
    caller.join()
    assert len(set(engine.threads)) == 1
    assert here() not in engine.threads


def test_attributes_are_the_engines(engine):
    assert engine.size == 64
    with pytest.raises(AttributeError, match="nothing"):
        _ = engine.nothing


def test_callbacks_come_to_the_thread_that_waits(engine):
    seen = []

    def progress(step):
        seen.append(here())
        return step * 10

    engine.on_progress = progress
    assert engine.job(3) == [0, 10, 20]
    assert seen == [here()] * 3
    engine.on_progress = None
    assert engine.job(3) == []


def test_errors_of_the_engine_and_of_callbacks_reach_the_caller(engine):
    with pytest.raises(ValueError, match="the job failed"):
        engine.job(0, fails=True)

    def progress(_step):
        raise RuntimeError("the callback failed")

    engine.on_progress = progress
    with pytest.raises(RuntimeError, match="the callback failed"):
        engine.job(1)
    engine.on_progress = None
    assert engine.job(1) == []


def test_a_callback_may_call_the_engine(engine):
    """Which says itself which calls it takes meanwhile."""
    engine.on_progress = lambda _step: engine.threads[0]
    assert engine.job(1) == [engine.threads[0]]

    def inner(_step):
        engine.on_progress = None
        return engine.job(1)

    engine.on_progress = inner
    assert engine.job(1) == [[]]


def test_the_thread_ends_with_the_engine():
    before = threading.active_count()
    engine = EngineThread(Engine)
    assert threading.active_count() == before + 1
    engine.close()
    assert engine.closed
    assert threading.active_count() == before


def test_an_engine_that_does_not_open_leaves_no_thread():
    before = threading.active_count()

    def fail():
        raise OSError("no such model")

    with pytest.raises(OSError, match="no such model"):
        EngineThread(fail)
    assert threading.active_count() == before
