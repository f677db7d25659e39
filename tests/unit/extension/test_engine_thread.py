"""An engine on a thread of its own."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from contextlib import suppress
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
        self.closed = 0
        self.cancelled = 0

    def job(self, steps, *, fails=False):
        self.threads.append(here())
        answers = [self.on_progress(step) for step in range(steps)] if self.on_progress else []
        if fails:
            raise ValueError("the job failed")
        return answers

    def cancel(self):
        self.cancelled += 1

    def close(self):
        self.threads.append(here())
        self.closed += 1


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

    engine.call_back(progress)
    assert engine.job(3) == [0, 10, 20]
    assert seen == [here()] * 3
    engine.call_back()
    assert engine.job(3) == []


def test_errors_of_the_engine_and_of_callbacks_reach_the_caller(engine):
    with pytest.raises(ValueError, match="the job failed"):
        engine.job(0, fails=True)

    def progress(_step):
        raise RuntimeError("the callback failed")

    engine.call_back(progress)
    with pytest.raises(RuntimeError, match="the callback failed"):
        engine.job(1)
    engine.call_back()
    assert engine.job(1) == []


def test_a_callback_may_call_the_engine(engine):
    """Which says itself which calls it takes meanwhile."""
    engine.call_back(lambda _step: engine.threads[0])
    assert engine.job(1) == [engine.threads[0]]

    def inner(_step):
        engine.call_back()
        return engine.job(1)

    engine.call_back(inner)
    assert engine.job(1) == [[]]


def test_the_thread_ends_with_the_engine():
    before = threading.active_count()
    engine = EngineThread(Engine)
    assert threading.active_count() == before + 1
    engine.close()
    assert engine.closed == 1
    assert threading.active_count() == before


def test_what_is_called_after_closing_is_the_engines_to_answer():
    engine = EngineThread(Engine)
    engine.close()
    engine.close()
    assert engine.closed == 2
    assert engine.job(1) == []


def test_a_callback_may_close_the_engine():
    engine = EngineThread(Engine)
    engine.call_back(lambda _step: engine.close())
    assert engine.job(1) == [None]
    assert engine.closed == 1


def test_an_interrupt_cancels_the_job_and_waits_for_its_end(engine, monkeypatch):
    reached = []

    def progress(step):
        reached.append(step)
        return step

    engine.call_back(progress)
    asked = engine._wait_for.__globals__["SimpleQueue"]

    class Interrupted(asked):
        def get(self):
            if reached == [0] and not engine.cancelled:
                raise KeyboardInterrupt
            return super().get()

    monkeypatch.setitem(engine._wait_for.__globals__, "SimpleQueue", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.job(3)
    assert engine.cancelled == 1
    assert reached == [0, 1, 2]
    monkeypatch.undo()
    assert engine.job(1) == [0]


def test_a_call_beside_a_job_is_the_engines_to_answer(engine):
    """On the thread that calls; of two jobs it refuses one."""
    seen = []

    def progress(_step):
        engine.call_back()
        other = threading.Thread(target=lambda: seen.append(engine.job(0)))
        other.start()
        other.join()
        return True

    engine.call_back(progress)
    assert engine.job(1) == [True]
    assert seen == [[]]


def test_a_forked_child_is_answered(engine):
    child = os.fork()
    if child == 0:
        os._exit(0 if engine.job(0) == [] and engine.close() is None else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_error_holds_nothing_of_the_caller(engine):
    class Held:
        pass

    def fail():
        held = Held()
        engine.call_back(lambda _step: 1 / 0)
        with suppress(ZeroDivisionError):
            engine.job(1)
            raise AssertionError("it did not fail")
        engine.call_back()
        with suppress(ValueError):
            engine.job(0, fails=True)
            raise AssertionError("it did not fail")
        return weakref.ref(held)

    gc.disable()
    try:
        assert fail()() is None
    finally:
        gc.enable()


def test_the_thread_ends_with_an_engine_that_nobody_closed():
    engine = EngineThread(Engine)
    thread = engine._thread
    del engine
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_an_engine_that_does_not_open_leaves_no_thread():
    before = threading.active_count()

    def fail():
        raise OSError("no such model")

    with pytest.raises(OSError, match="no such model"):
        EngineThread(fail)
    assert threading.active_count() == before
