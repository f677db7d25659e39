"""The score: what it asks is new to the model, and it counts what is there."""

from __future__ import annotations

import numpy as np
import pytest

checks = pytest.importorskip("checks")
prompts = pytest.importorskip("prompts")
report = pytest.importorskip("report")
scenes = pytest.importorskip("scenes")

Claims, Scene, Thing = scenes.Claims, scenes.Scene, scenes.Thing


@pytest.mark.parametrize("language", scenes.LANGUAGES)
def test_prompts_of_one_thing_are_held_out(language: str) -> None:
    for asked in prompts.singles(language, 40):
        ((noun, color, _),) = asked.claims.things
        assert scenes.single_held_out(noun, color, asked.claims.ground)


def test_short_prompts_are_held_out() -> None:
    asked = prompts.plain(48)
    assert len(asked) == 48
    assert len({one.prompt for one in asked}) == 16
    for one in asked:
        ((noun, color, _),) = one.claims.things
        assert scenes.single_held_out(noun, color, one.claims.ground)
        assert noun in one.prompt
        assert color in one.prompt


def test_prompts_of_pairs_are_held_out_and_half_have_a_relation() -> None:
    asked = prompts.pairs("en", 40)
    for one in asked:
        first, second = ((noun, color) for noun, color, _ in one.claims.things)
        assert scenes.pair_held_out(first, second)
    assert sum(one.claims.relation is not None for one in asked) == 20


def test_prompts_do_not_change_from_run_to_run() -> None:
    assert prompts.singles("ru", 10) == prompts.singles("ru", 10)


def test_a_drawing_of_what_is_asked_is_right_in_every_point() -> None:
    circle = Thing("circle", "red", "small", 0.5, 0.21, 0.14)
    claims = Claims((("circle", "red", "small"),), ("white", "white"), "top")
    asked = prompts.Asked("", claims)
    good = scenes.draw(Scene(("white", "white"), (circle,)))
    bad = scenes.draw(Scene(("black", "black"), (circle,)))
    points = checks.by_point(checks.judged([asked, asked], [good, bad]))
    assert points["shape and color"] == (2, 2)
    assert points["position"] == (2, 2)
    assert points["ground"] == (1, 2)
    assert points["everything"] == (1, 2)


def test_groups_count_apart() -> None:
    circle = Thing("circle", "red", "medium", 0.5, 0.5, 0.24)
    pixels = scenes.draw(Scene(("white", "white"), (circle,)))
    asked = [prompts.Asked("", Claims(((noun, "red", None),))) for noun in ("circle", "star")]
    results = checks.judged(asked, [pixels, pixels])
    groups = checks.by_group(results, lambda result: result.asked.claims.things[0][0])
    assert groups == {"circle": (1, 1), "star": (0, 1)}


def test_drawn_compositions_count_as_such_and_others_do_not() -> None:
    rng = np.random.default_rng(3)
    found = [
        all(checks.composition(scenes.draw(scenes.random_composition(rng))).values())
        for _ in range(30)
    ]
    assert sum(found) >= 26
    circle = Thing("circle", "red", "medium", 0.5, 0.5, 0.24)
    alone = checks.composition(scenes.draw(Scene(("cream", "cream"), (circle,))))
    assert alone["cream"]
    assert not alone["lines"]
    empty = checks.composition(scenes.draw(Scene(("cream", "cream"), ())))
    assert not empty["shapes"]
    bent = scenes.draw(Scene(("cream", "cream"), (circle,)))
    for x in range(10, 118):
        y = 20 + round(12 * np.sin(x / 9))
        bent[y - 2 : y + 2, x - 2 : x + 2] = 0
    assert checks.composition(bent)["lines"]
    assert not checks.composition(bent)["straight"]
    noise = rng.integers(0, 255, (128, 128, 3)).astype(np.uint8)
    assert not all(checks.composition(noise).values())


def test_repairs_are_judged_in_the_box_and_outside() -> None:
    for task in prompts.repairs(6):
        ((noun, color, _),) = task.asked.claims.things
        left, top, right, bottom = task.box
        x, y = (left + right) / 256, (top + bottom) / 256
        wanted = Thing(noun, color, "medium", x, y, 0.17)
        ground = tuple(int(v) for v in task.pixels[0, 0])
        name = next(n for n, rgb in scenes.COLORS.items() if rgb == ground)
        done = checks.repaired(task, scenes.draw(Scene((name, name), (task.kept, wanted), "left")))
        assert all(done.values())
        nothing = checks.repaired(task, task.pixels)
        assert not nothing["there"]
        assert nothing["only there"]
        elsewhere = checks.repaired(task, scenes.draw(Scene((name, name), (wanted,))))
        assert not elsewhere["only there"]


def test_the_judge_is_right_about_drawings() -> None:
    right, asked = checks.judge_on_drawings(100)
    assert right >= 0.99 * asked


def test_table_shows_every_count() -> None:
    numbers = {
        "judge": [99, 100],
        "english": {"settings": "how", "points": {"shape": [3, 4]}, "by shape": {"ring": [0, 2]}},
        "sizes": {"64 x 64": {"shape": [1, 2], "size": [1, 1]}, "256 x 256": {"shape": [0, 2]}},
        "inpainting": {"settings": "how", "there": [5, 8]},
    }
    table = report.table(numbers)
    for text in ("99 %", "75 % (3 of 4)", "| ring | 0 % (0 of 2) |", "| 256 x 256 | 0 % (0 of 2) |",
                 "| there | 62 % (5 of 8) |"):  # fmt: skip
        assert text in table, text
