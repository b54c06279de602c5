"""Four more classes, for a detector that has learned the figures: a second data set.

Each consists of several parts of two or three colours, as the composed figures do, and
its arrangement shows the class.
"""

import numpy as np

from .outlines import Figure, Outline, Part, box, disc
from .shapes import Drawing


def _house(rng: np.random.Generator) -> Figure:
    """Return walls under a wide roof, with a door."""
    eaves = rng.uniform(0.38, 0.5)
    door = rng.uniform(0.2, 0.6)
    walls = Part((box(0.1, eaves, 0.9, 1),), tone=0)
    roof = Part((_polygon((0.5, 0), (1, eaves), (0, eaves)),), tone=1)
    return [walls, roof, Part((box(door, 0.66, door + 0.2, 1),), tone=2)]


def _tree(rng: np.random.Generator) -> Figure:
    """Return three triangles above one another on a trunk."""
    half = rng.uniform(0.06, 0.1)
    trunk = Part((box(0.5 - half, 0.75, 0.5 + half, 1),), tone=1)
    tiers = [(0.0, 0.38, 0.3), (0.2, 0.6, 0.4), (0.42, 0.85, 0.5)]
    crown = [
        Part((_polygon((0.5, top), (0.5 + w, bottom), (0.5 - w, bottom)),), tone=0)
        for top, bottom, w in tiers
    ]
    return [trunk, *crown]


def _fish(rng: np.random.Generator) -> Figure:
    """Return an ellipse with a tail on either side, and an eye at its other end."""
    height = rng.uniform(0.24, 0.32)
    body = (disc(0, 0, 1) * [0.36, height]) + [0.36, 0.5]
    tail = _polygon((0.62, 0.5), (1, 0.5 - height), (1, 0.5 + height))
    eye = disc(0.17, 0.45, 0.05)
    if rng.integers(2):
        body, tail, eye = (outline * [-1, 1] + [1, 0] for outline in (body, tail, eye))
    return [Part((tail,), tone=1), Part((body,), tone=0), Part((eye,), tone=2)]


def _boat(rng: np.random.Generator) -> Figure:
    """Return a hull that narrows downwards, a mast and two sails."""
    deck = rng.uniform(0.66, 0.74)
    hull = _polygon((0, deck), (1, deck), (0.8, 1), (0.2, 1))
    mast = box(0.46, 0, 0.52, deck)
    sails = (
        _polygon((0.44, 0.08), (0.44, deck - 0.05), (0.05, deck - 0.05)),
        _polygon((0.54, 0.2), (0.54, deck - 0.05), (0.9, deck - 0.05)),
    )
    return [Part((hull,), tone=0), Part((mast,), tone=2), Part(sails, tone=1)]


def _polygon(*corners: tuple[float, float]) -> Outline:
    return np.array(corners)


DRAWINGS: dict[str, Drawing] = {
    'house': _house,
    'tree': _tree,
    'fish': _fish,
    'boat': _boat,
}
