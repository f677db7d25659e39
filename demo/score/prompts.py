"""What the score asks for: prompts of combinations that training never drew, and their claims."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scenes

SEED = 2_000_003


@dataclass(frozen=True)
class Asked:
    """A prompt and what an image of it must show."""

    prompt: str
    claims: scenes.Claims
    language: str = "en"


def _single(rng: np.random.Generator, language: str) -> Asked:
    gradients = language in {"en", "ru"}
    while True:
        scene = scenes.random_single(rng)
        if scenes.held_out(scene) and (gradients or scene.ground[0] == scene.ground[1]):
            break
    thing = scene.things[0]
    mention = scenes.Mention(thing, size=thing.size != "medium")
    cell = None if thing.cell == "center" and rng.random() < 0.6 else thing.cell
    plan = scenes.Plan((mention,), cell, None, scene.ground)
    return Asked(scenes.say(plan, language, rng), plan.claims, language)


def singles(language: str, count: int) -> list[Asked]:
    """One thing: shape, colour and ground are always said, size and place where there is one."""
    rng = np.random.default_rng((SEED, scenes.LANGUAGES.index(language)))
    return [_single(rng, language) for _ in range(count)]


def pairs(language: str, count: int) -> list[Asked]:
    """Two things, half of the prompts with their relation, half with "and"."""
    rng = np.random.default_rng((SEED, 10 + scenes.LANGUAGES.index(language)))
    out: list[Asked] = []
    while len(out) < count:
        scene = scenes.random_pair(rng)
        if not scenes.held_out(scene) or scene.ground[0] != scene.ground[1]:
            continue
        mentions = tuple(scenes.Mention(thing) for thing in scene.things)
        relation = scene.relation if len(out) % 2 == 0 else None
        plan = scenes.Plan(mentions, None, relation, scene.ground)
        out.append(Asked(scenes.say(plan, language, rng), plan.claims, language))
    return out


def plain(count: int) -> list[Asked]:
    """Short English prompts, "a red circle on a white background", for comparing settings.

    There are few; beyond that they come again, for other seeds.
    """
    rng = np.random.default_rng((SEED, 20))
    every = [
        (noun, color, ground)
        for noun, color, ground in itertools.product(
            scenes.SHAPES, scenes.THING_COLORS, scenes.GROUND_COLORS
        )
        if scenes.single_held_out(noun, color, (ground, ground))
        and scenes.stands_out(color, (ground, ground))
    ]
    out = []
    order = rng.permutation(len(every))
    for i in range(count):
        noun, color, ground = every[order[i % len(every)]]
        prompt = f"{scenes.article(color)} {noun} on {scenes.article(ground)} background"
        out.append(Asked(prompt, scenes.Claims(((noun, color, None),), (ground, ground))))
    return out


COMPOSITIONS = (
    "a composition in the style of Kandinsky",
    "an abstract composition of lines, circles and triangles",
    "композиция в стиле Кандинского",
    "a painting in the style of Kandinsky",
)


@dataclass(frozen=True)
class Repair:
    """An inpainting task: a drawn image, the box to generate anew, and what is to come there.

    box: left, top, right, bottom in pixels of 128; kept: the thing outside of it.
    """

    pixels: np.ndarray
    box: tuple[int, int, int, int]
    asked: Asked
    kept: scenes.Thing


def repairs(count: int) -> list[Repair]:
    """A thing on one side of the image; another, of a held-out kind, is asked for opposite."""
    rng = np.random.default_rng((SEED, 30))
    out: list[Repair] = []
    while len(out) < count:
        scene = scenes.random_pair(rng)
        there, wanted = scene.things
        if scene.ground[0] != scene.ground[1] or there.color == wanted.color:
            continue
        if not scenes.pair_held_out((there.noun, there.color), (wanted.noun, wanted.color)):
            continue
        pixels = scenes.draw(scenes.Scene(scene.ground, (there,)))
        reach = 0.23
        left, top, right, bottom = (
            round(128 * v)
            for v in (wanted.x - reach, wanted.y - reach, wanted.x + reach, wanted.y + reach)
        )
        box = (max(0, left), max(0, top), min(128, right), min(128, bottom))
        prompt = f"{scenes.article(wanted.color)} {wanted.noun}"
        claims = scenes.Claims(((wanted.noun, wanted.color, None),))
        out.append(Repair(pixels, box, Asked(prompt, claims), there))
    return out


@dataclass(frozen=True)
class Control:
    """A depth map of a scene, uint8 [128, 128], and a prompt. asked: what has to come of both."""

    scene: scenes.Scene
    depth: np.ndarray
    asked: Asked


def controls(count: int, *, agreeing: bool) -> list[Control]:
    """Maps of one thing anywhere. The prompt says a colour, a ground and a shape: the map's, or
    another one, which the map overrules.
    """
    rng = np.random.default_rng((SEED, 40 + agreeing))
    out: list[Control] = []
    while len(out) < count:
        scene = scenes.random_single(rng)
        (thing,) = scene.things
        if not scenes.held_out(scene) or scene.ground[0] != scene.ground[1]:
            continue
        said = thing.noun if agreeing else scenes.pick(rng, scenes.SHAPES)
        if not agreeing and said == thing.noun:
            continue
        ground = scenes.article(scene.ground[0])
        prompt = f"{scenes.article(thing.color)} {said} on {ground} background"
        claims = scenes.Claims(((thing.noun, thing.color, None),), scene.ground)
        out.append(Control(scene, scenes.depth_map(scene), Asked(prompt, claims)))
    return out
