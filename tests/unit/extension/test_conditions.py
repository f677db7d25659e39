"""Which text guides at which step: the host's counting in the engine's."""

import json
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "data" / "host_schedules.json"


@pytest.fixture
def conditions(bare_host):
    return bare_host.ext("conditions")


def spans(phrases):
    return [(part.text, part.first_step, part.last_step) for part in phrases]


def test_one_text_works_all_the_time(conditions):
    steps = conditions.Steps.all_of(20)
    assert spans(conditions.phrases([(20, "a")], steps)) == [("a", 1, 20)]


def test_a_text_ends_with_its_step(conditions):
    steps = conditions.Steps.all_of(20)
    assert spans(conditions.phrases([(10, "a"), (20, "b")], steps)) == [("a", 1, 11), ("b", 12, 20)]


def test_it_is_the_text_that_the_hosts_own_models_are_asked_with(conditions):
    """See record_schedules.py."""
    rows = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert len(rows) > 200
    for row in rows:
        planned, running = row["planned"], row["running"]
        for total in {planned, running, planned + 3} - set(range(running)):
            steps = conditions.Steps(planned=planned, total=total, running=running)
            parts = conditions.phrases(row["schedule"], steps)
            assert (parts[0].first_step, parts[-1].last_step) == (1, total)
            texts = [conditions.at_step(parts, total - running + 1 + i) for i in range(running)]
            assert texts == row["texts"], row


def test_samplers_that_ask_twice_count_double(conditions):
    steps = conditions.Steps.all_of(5)
    assert spans(conditions.phrases([(5, "a"), (10, "b")], steps)) == [("a", 1, 3), ("b", 4, 5)]


def test_image_to_image_counts_the_steps_that_run(conditions):
    steps = conditions.Steps(planned=20, total=20, running=11)
    found = spans(conditions.phrases([(5, "a"), (20, "b")], steps))
    assert found == [("a", 1, 15), ("b", 16, 20)]


def test_a_change_that_is_never_reached_is_left_out(conditions):
    steps = conditions.Steps(planned=20, total=20, running=4)
    assert spans(conditions.phrases([(10, "a"), (20, "b")], steps)) == [("a", 1, 20)]


def test_a_fixed_number_of_steps_runs_at_the_end_of_a_longer_schedule(conditions):
    steps = conditions.Steps(planned=20, total=40, running=20)
    found = spans(conditions.phrases([(10, "a"), (20, "b")], steps))
    assert found == [("a", 1, 31), ("b", 32, 40)]


def test_equal_neighbours_are_one(conditions):
    steps = conditions.Steps.all_of(4)
    found = spans(conditions.phrases([(1, "a"), (2, "b"), (3, "b"), (4, "c")], steps))
    assert found == [("a", 1, 2), ("b", 3, 4)]


@pytest.mark.parametrize("steps", range(1, 31))
def test_every_step_has_just_one_text(conditions, steps):
    for running in range(1, steps + 1):
        for multiple in (1, 2):
            schedule = [(i + 1, "ab"[i % 2]) for i in range(steps * multiple)]
            counts = [0] * (steps + 1)
            for part in conditions.phrases(
                schedule, conditions.Steps(planned=steps, total=steps, running=running)
            ):
                for step in range(part.first_step, part.last_step + 1):
                    counts[step] += 1
            assert counts[1:] == [1] * steps


def guides(conditions, positives, negatives, seeds):
    return (
        conditions.positive_guide(positives, negatives, seeds),
        conditions.negative_guide(positives, negatives, seeds),
    )


def test_plain_prompts_need_no_conditions_and_share_their_rows(conditions):
    phrase = conditions.Phrase
    positive, negative = guides(
        conditions,
        [[phrase("a", 1, 9)], [phrase("b", 1, 9)]],
        [[phrase("n", 1, 9)], [phrase("", 1, 9)]],
        [5, 6],
    )
    assert positive.conditions is negative.conditions is None
    assert positive.rows == negative.rows
    assert positive.rows == (conditions.Row("a", "n", 5), conditions.Row("b", None, 6))


def test_a_lone_weight_needs_a_condition(conditions):
    phrase = conditions.Phrase
    positive, _ = guides(conditions, [[phrase("a", 1, 9, 1.3)]], [[phrase("", 1, 9)]], [5])
    assert positive.conditions == ((0, 0, 1, 9, 1.3),)


def test_a_text_that_comes_back_has_one_row(conditions):
    phrase = conditions.Phrase
    parts = [phrase("a", 1, 1), phrase("b", 2, 2), phrase("a", 3, 3)]
    positive, _ = guides(conditions, [parts], [[phrase("", 1, 3)]], [5])
    assert [row.text for row in positive.rows] == ["a", "b"]
    assert [values[:4] for values in positive.conditions] == [
        (0, 0, 1, 1),
        (1, 0, 2, 2),
        (0, 0, 3, 3),
    ]


def test_the_prior_steers_away_from_the_negative_prompt_of_that_step(conditions):
    phrase = conditions.Phrase
    positive, negative = guides(
        conditions,
        [[phrase("a", 1, 4), phrase("b", 5, 9)]],
        [[phrase("m", 1, 4), phrase("n", 5, 9)]],
        [5],
    )
    assert [(row.text, row.negative_prompt) for row in positive.rows] == [("a", "m"), ("b", "n")]
    assert negative.rows == positive.rows
