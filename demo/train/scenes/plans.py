"""What a caption will say, before there are words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .truth import Claims
from .world import INVERSE, Scene, Thing


@dataclass(frozen=True)
class Mention:
    """What a caption says about one thing besides its shape."""

    thing: Thing
    color: bool = True
    size: bool = False

    @property
    def claim(self) -> tuple[str, str | None, str | None]:
        thing = self.thing
        return thing.noun, thing.color if self.color else None, thing.size if self.size else None


@dataclass(frozen=True)
class Plan:
    """What to say of which thing, in which order. No things: a composition."""

    things: tuple[Mention, ...]
    cell: str | None = None
    relation: str | None = None  # None for a single thing and for a plain "A and B"
    ground: tuple[str, str] | None = None

    @property
    def claims(self) -> Claims:
        said = tuple(mention.claim for mention in self.things)
        return Claims(said, self.ground, self.cell, self.relation)


def random_plan(scene: Scene, rng: np.random.Generator, gradients: bool = True) -> Plan:
    """A choice of what to say about a scene. gradients: whether the language can say them."""
    ground = None
    if scene.ground[0] != scene.ground[1]:
        ground = scene.ground if gradients and rng.random() < 0.9 else None
    elif rng.random() < (0.5 if scene.ground[0] == "white" else 0.85):
        ground = scene.ground
    if scene.kind == "composition":
        return Plan((), ground=ground if rng.random() < 0.4 else None)
    told = [
        Mention(
            thing,
            color=rng.random() < 0.95,
            size=thing.size != "medium" and rng.random() < 0.85,
        )
        for thing in scene.things
    ]
    cell = relation = None
    if scene.kind == "single":
        said = rng.random() < (0.2 if scene.things[0].cell == "center" else 0.9)
        cell = scene.things[0].cell if said else None
    else:
        form = rng.random()
        if form < 0.35:
            # A plain "A and B" reads from left to right and from top to bottom.
            if scene.relation in {"right", "below"}:
                told.reverse()
        elif form < 0.675:
            relation = scene.relation
        else:
            told.reverse()
            relation = INVERSE[scene.relation]
    return Plan(tuple(told), cell, relation, ground)
