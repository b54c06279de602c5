"""Polygons in the unit square, the parts of all figures.

An outline is an array ``(n, 2)`` of xy points, 0..1, y pointing down.
"""

from dataclasses import dataclass

import numpy as np

Outline = np.ndarray


@dataclass(frozen=True)
class Part:
    """Outlines filled with one colour.

    Attributes:
        outlines: Disjoint polygons, xy in the unit square.
        tone: Number of the figure's colour that fills them: 0, 1, 2, ...
        inside: Whether to paint only over earlier parts, as a texture does. The part
            then does not enlarge the figure.
    """

    outlines: tuple[Outline, ...]
    tone: int = 0
    inside: bool = False


Figure = list[Part]  # painted in order, later parts over earlier ones


def disc(x: float, y: float, radius: float) -> Outline:
    """Return a circle around ``(x, y)`` as a polygon of 48 corners."""
    return regular(x, y, radius, corners=48)


def regular(x: float, y: float, radius: float, *, corners: int) -> Outline:
    """Return a regular polygon around ``(x, y)``, one corner at the top."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    return ring(x, y, np.full(corners, radius), angles)


def ring(x: float, y: float, radii: np.ndarray, angles: np.ndarray) -> Outline:
    """Return the points at ``radii`` and ``angles`` (radians, 0 is up, clockwise)."""
    directions = np.stack([np.sin(angles), -np.cos(angles)], axis=1)
    return np.array([x, y]) + radii[:, None] * directions


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """Return an upright rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def triangle() -> Outline:
    """Return the triangle that fills the unit square, apex at the top."""
    return np.array([[0.5, 0.0], [1.0, 1.0], [0.0, 1.0]])


def blob(rng: np.random.Generator) -> Outline:
    """Return a smooth irregular closed curve around the middle."""
    angles = np.arange(64) * (2 * np.pi / 64)
    radii = np.full(64, 0.38)
    for order in (2, 3, 4):
        phase = rng.uniform(0, 2 * np.pi)
        radii += rng.uniform(0.03, 0.08) * np.cos(order * angles + phase)
    return ring(0.5, 0.5, radii, angles)


def rotated(outline: Outline, angle: float) -> Outline:
    """Turn an outline by ``angle`` radians around the middle of the unit square."""
    cos, sin = np.cos(angle), np.sin(angle)
    return (outline - 0.5) @ np.array([[cos, sin], [-sin, cos]]) + 0.5
