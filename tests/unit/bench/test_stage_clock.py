"""A job's time, split by what the engine reports."""

from types import SimpleNamespace

import pytest
from stage_clock import StageClock


@pytest.fixture
def clock() -> StageClock:
    """A job of 13.5 s that loads, does two steps, and loads again."""
    engine = SimpleNamespace(on_progress=None)
    now = [100.0]
    clock = StageClock(engine, lambda: now[0])
    reports = [
        (1.0, "load", 0),
        (2.0, "load", 1),
        (0.5, "denoise", 0),
        (4.0, "denoise", 1),
        (3.0, "denoise", 2),
        (0.0, "load", 0),
        (2.0, "load", 1),
    ]
    with clock:
        for seconds, stage, step in reports:
            now[0] += seconds
            engine.on_progress(SimpleNamespace(stage=stage, step=step))
        now[0] += 1.0
    assert engine.on_progress is None
    return clock


def test_time_belongs_to_the_step_that_it_ends(clock: StageClock) -> None:
    assert clock.total == 13.5
    assert clock.steps("denoise") == [4.0, 3.0]
    assert clock.seconds("load") == 4.0
    assert clock.seconds("prior") == 0.0


def test_what_is_before_and_after(clock: StageClock) -> None:
    assert clock.until_first("denoise") == 7.5
    assert clock.after("denoise") == 1.0
