"""The demo model's world: simple pictures, drawn by code, with captions and the truth about them.

`world` makes scenes, `draw` pixels from them, `captions` sentences that are true of them, `truth`
numbers to learn and to count by. Needs numpy and Pillow only. Everything random takes a
`numpy.random.Generator`.
"""

from .captions import LANGUAGES, describe, random_description, say
from .depth import depth_map
from .draw import coverage, draw
from .english import article
from .plans import Mention, Plan, random_plan
from .russian import adjective
from .truth import ATTRIBUTES, Claims, attributes, satisfied
from .world import (
    CELLS,
    COLORS,
    GROUND_COLORS,
    RELATIONS,
    SHAPES,
    SIZES,
    THING_COLORS,
    Line,
    Scene,
    Thing,
    distinct,
    held_out,
    pair_held_out,
    pick,
    random_composition,
    random_pair,
    random_scene,
    random_single,
    single_held_out,
    stands_out,
)

__all__ = [
    "ATTRIBUTES", "CELLS", "COLORS", "GROUND_COLORS", "LANGUAGES", "RELATIONS", "SHAPES", "SIZES",
    "THING_COLORS", "Claims", "Line", "Mention", "Plan", "Scene", "Thing", "adjective", "article",
    "attributes", "coverage", "depth_map", "describe", "distinct", "draw", "held_out",
    "pair_held_out", "pick", "random_composition", "random_description", "random_pair",
    "random_plan", "random_scene", "random_single", "satisfied", "say", "single_held_out",
    "stands_out",
]  # fmt: skip
