"""The appearance of each class: one drawing function per class, in three grades.

- ``plain``: one colour; the outline shows the class.
- ``textured``: two colours; every class has the same four outlines, so only the
  texture inside shows the class.
- ``composed``: several parts; their arrangement shows the class. ``car`` and
  ``robot`` have the same parts, and so have ``flower`` and ``paw``.

Colours, sizes, aspect ratios and rotations have the same distributions for every
class, so that none of them shows a class or a grade. Objects are only rotated a
little; a composed figure upside down is a stray, not an object.
"""

from collections.abc import Callable

import numpy as np

from .outlines import (
    Figure,
    Outline,
    Part,
    blob,
    box,
    disc,
    regular,
    ring,
    rotated,
    triangle,
)

Drawing = Callable[[np.random.Generator], Figure]


def _disc(_: np.random.Generator) -> Figure:
    return [Part((disc(0.5, 0.5, 0.5),))]


def _square(_: np.random.Generator) -> Figure:
    return [Part((box(0, 0, 1, 1),))]


def _triangle(_: np.random.Generator) -> Figure:
    return [Part((triangle(),))]


def _any_outline(rng: np.random.Generator) -> Outline:
    """Return one of the outlines that all textured classes share."""
    hexagon = regular(0.5, 0.5, 0.5, corners=6)
    outlines = (disc(0.5, 0.5, 0.5), box(0, 0, 1, 1), triangle(), hexagon)
    return outlines[rng.integers(len(outlines))]


def _textured(rng: np.random.Generator, texture: list[Outline]) -> Figure:
    """Return a random outline with ``texture``, at a random angle, inside it."""
    angle = rng.uniform(0, np.pi)
    turned = tuple(rotated(outline, angle) for outline in texture)
    return [Part((_any_outline(rng),), tone=0), Part(turned, tone=1, inside=True)]


# Textures reach 0.25 beyond the unit square, so that they fill it at any angle.
_REACH = (-0.25, 1.25)


def _cells(rng: np.random.Generator) -> np.ndarray:
    """Return the starts of equal cells, 2.6 to 4 per unit, at a random phase."""
    cell = 1 / rng.uniform(2.6, 4)
    return np.arange(_REACH[0] - rng.uniform(0, 2) * cell, _REACH[1], cell)


def _striped(rng: np.random.Generator) -> Figure:
    lefts = _cells(rng)
    cell = lefts[1] - lefts[0]
    bands = [box(left, _REACH[0], left + cell, _REACH[1]) for left in lefts[::2]]
    return _textured(rng, bands)


def _checkered(rng: np.random.Generator) -> Figure:
    starts = _cells(rng)
    cell = starts[1] - starts[0]
    fields = [
        box(left, top, left + cell, top + cell)
        for row, top in enumerate(starts)
        for left in starts[row % 2 :: 2]
    ]
    return _textured(rng, fields)


def _dotted(rng: np.random.Generator) -> Figure:
    pitch = 1 / rng.uniform(2.0, 2.8)
    low, high = _REACH
    centres = np.arange(low - rng.uniform(0, pitch), high + pitch, pitch)
    dots = [disc(x, y, 0.27 * pitch) for x in centres for y in centres]
    return _textured(rng, dots)


def _wheels(left: float, right: float, y: float, radius: float) -> Figure:
    """Return two discs with hubs: the wheels of a car, the eyes of a robot."""
    rims = (disc(left, y, radius), disc(right, y, radius))
    hubs = (disc(left, y, 0.5 * radius), disc(right, y, 0.5 * radius))
    return [Part(rims, tone=2), Part(hubs, tone=3)]


def _car(rng: np.random.Generator) -> Figure:
    """Return a wide box, a narrow one above it, and wheels below."""
    front, waist = rng.uniform(0.08, 0.3), rng.uniform(0.36, 0.44)
    cabin = Part((box(front, 0, front + 0.6, waist),), tone=1)
    body = Part((box(0, waist, 1, 0.84),), tone=0)
    return [cabin, body, *_wheels(0.23, 0.77, 0.82, rng.uniform(0.15, 0.18))]


def _robot(rng: np.random.Generator) -> Figure:
    """Return the parts of a car with the wheels up in the narrow box, as eyes."""
    side, neck = rng.uniform(0.15, 0.25), rng.uniform(0.46, 0.56)
    head = Part((box(side, 0, side + 0.6, neck),), tone=1)
    body = Part((box(0, neck, 1, 1),), tone=0)
    radius = rng.uniform(0.11, 0.14)
    eyes = _wheels(side + 0.15, side + 0.45, 0.5 * neck, radius)
    return [head, body, *eyes]


def _lobes(x: float, y: float, reach: float, radius: float, at: np.ndarray) -> Part:
    """Return discs at angles ``at`` around a point: petals of a flower, toes."""
    centres = ring(x, y, np.full(len(at), reach), at)
    return Part(tuple(disc(*centre, radius) for centre in centres), tone=0)


def _flower(rng: np.random.Generator) -> Figure:
    """Return a disc with five discs all around it."""
    angles = rng.uniform(0, 2 * np.pi) + np.arange(5) * (2 * np.pi / 5)
    petals = _lobes(0.5, 0.5, 0.33, rng.uniform(0.16, 0.185), angles)
    return [petals, Part((disc(0.5, 0.5, rng.uniform(0.18, 0.23)),), tone=1)]


def _paw(rng: np.random.Generator) -> Figure:
    """Return the parts of a flower with the five discs in an arc above the one."""
    spread = rng.uniform(1.2, 1.35)
    toes = _lobes(0.5, 0.66, 0.47, 0.135, np.linspace(-spread, spread, 5))
    return [toes, Part((disc(0.5, 0.72, rng.uniform(0.24, 0.28)),), tone=1)]


_DRAWINGS: dict[str, dict[str, Drawing]] = {
    'plain': {'disc': _disc, 'square': _square, 'triangle': _triangle},
    'textured': {'striped': _striped, 'checkered': _checkered, 'dotted': _dotted},
    'composed': {'car': _car, 'robot': _robot, 'flower': _flower, 'paw': _paw},
}

DRAWINGS = {name: draw for grade in _DRAWINGS.values() for name, draw in grade.items()}
CLASSES = tuple(DRAWINGS)
GRADES = {name: grade for grade, names in _DRAWINGS.items() for name in names}


def _upside_down(rng: np.random.Generator) -> Figure:
    """Return a composed figure upside down: the parts of a class, wrongly arranged."""
    upright = (_car, _robot, _paw)[rng.integers(3)](rng)
    return [
        Part(tuple(rotated(outline, np.pi) for outline in part.outlines), part.tone)
        for part in upright
    ]


def _stray_wheel(_: np.random.Generator) -> Figure:
    return [Part((disc(0.5, 0.5, 0.5),), tone=0), Part((disc(0.5, 0.5, 0.25),), tone=1)]


def _stray_boxes(_: np.random.Generator) -> Figure:
    """Return the two boxes of a car or robot, without the discs."""
    return [
        Part((box(0.2, 0, 0.8, 0.5),), tone=1),
        Part((box(0, 0.5, 1, 1),), tone=0),
    ]


def _stray_lobes(rng: np.random.Generator) -> Figure:
    """Return three petals without the rest of a flower."""
    angles = rng.uniform(0, 2 * np.pi) + np.arange(3) * (2 * np.pi / 5)
    return [_lobes(0.5, 0.5, 0.33, 0.17, angles)]


def _blob(rng: np.random.Generator) -> Figure:
    return [Part((blob(rng),))]


def _half_disc(_: np.random.Generator) -> Figure:
    return [Part((disc(0.5, 0.5, 0.5)[:25],))]


# Not annotated: composed figures upside down or in pieces, and other outlines.
STRAYS: tuple[Drawing, ...] = (
    _upside_down,
    _stray_wheel,
    _stray_boxes,
    _stray_lobes,
    _blob,
    _half_disc,
)
