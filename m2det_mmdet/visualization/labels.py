"""Labels beside the points of a plot, where they hide little."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from .style import INK

_LEADER = '#6e7781'
_FONT_SIZE = 10.5  # points
_MARGIN = 4  # pixels around a label that stay free
# Places of a label: degrees from the right in order of preference, and points between
# it and the marker.
_ANGLES = (45, 135, -45, -135, 0, 180, 90, -90, 20, 160, -20, -160, 70, 110, -70, -110)
_DISTANCES = (4, 9, 16, 26, 38, 52, 68, 86, 106, 128)
_NEAR = 9  # points: labels farther away get a line to their point
# Prices: of the next distance, of the next angle, of a label without a line that is
# near another point; and of each square pixel that covers a line, covers a marker or
# label, or is outside the axes.
_STEP, _TURN, _DOUBT = 60, 6, 500
_CROSS, _COVER, _LEAVE = 1, 8, 100
_ROUNDS = 6

Point = tuple[float, float]
Boxes = np.ndarray  # (n, 4), xyxy, pixels


class Label(NamedTuple):
    """A text and the point that it names, in the units of the axes."""

    text: str
    x: float
    y: float


class _Place(NamedTuple):
    """A possible place of a label.

    Attributes:
        offset: From the point to the label's centre, pixels.
        box: Area of the text, ``(1, 4)``.
        leader: Area of the line to the point, ``(n, 4)``; ``n`` may be 0.
        price: Price of the place if it covers nothing.
    """

    offset: np.ndarray
    box: Boxes
    leader: Boxes
    price: float


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    lines: Sequence[Sequence[Point]],
    marker_size: float,
) -> None:
    """Add labels that avoid each other, the markers and, if possible, the lines.

    Each label takes the cheapest place around its point, given the places of the
    others, until none moves. The axes must have their final place and limits.

    Args:
        axes: Axes to draw on.
        labels: A text for each point that has a marker.
        lines: Both ends of each vertical or horizontal line, in the units of the axes.
        marker_size: Diameter of the markers, points.
    """
    point = axes.figure.dpi / 72  # pixels
    radius = marker_size * point / 2
    centres = axes.transData.transform([(label.x, label.y) for label in labels])
    markers = np.hstack((centres, centres)) + np.array([-1, -1, 1, 1]) * radius
    ends = axes.transData.transform(np.reshape(lines, (-1, 2))).reshape(-1, 2, 2)
    bars = np.hstack((ends.min(axis=1) - _MARGIN / 2, ends.max(axis=1) + _MARGIN / 2))
    candidates = [
        list(_places(centre, centres, _text_size(axes, label.text), radius, point))
        for centre, label in zip(centres, labels, strict=True)
    ]
    chosen = _choose(candidates, markers, bars, np.array([axes.bbox.extents]))
    for label, centre, place in zip(labels, centres, chosen, strict=True):
        _draw(axes, label, centre, place)


def _text_size(axes: Axes, text: str) -> np.ndarray:
    """Measure a text, pixels."""
    probe = axes.text(0, 0, text, fontsize=_FONT_SIZE, parse_math=False)
    size = probe.get_window_extent().size
    probe.remove()
    return size


def _places(
    centre: np.ndarray,
    centres: np.ndarray,
    size: np.ndarray,
    radius: float,
    point: float,
) -> Iterator[_Place]:
    """List the places for a text of ``size`` around ``centre``, pixels."""
    for step, distance in enumerate(_DISTANCES):
        for turn, angle in enumerate(np.deg2rad(_ANGLES)):
            direction = np.array([np.cos(angle), np.sin(angle)])
            # The text keeps the distance; above and below the point it may slide.
            offset = direction * (radius + distance * point)
            offset += np.clip(direction * np.sqrt(2), -1, 1) * size / 2
            middle = centre + offset
            box = np.concatenate((middle - size / 2, middle + size / 2))
            price = _STEP * step + _TURN * turn
            leader = np.empty((0, 4))
            if distance > _NEAR:
                leader = _leader(centre, _nearest(centre, box), radius)
            elif _is_doubtful(box, centre, centres, radius):
                price += _DOUBT
            yield _Place(offset, box[None], leader, price)


def _is_doubtful(
    box: np.ndarray, centre: np.ndarray, centres: np.ndarray, radius: float
) -> bool:
    """Whether another point is about as near to a label as its own."""
    own, *all_ = (np.hypot(*(p - _nearest(p, box))) for p in (centre, *centres))
    others = [gap for gap, p in zip(all_, centres, strict=True) if any(p != centre)]
    return min(others, default=np.inf) < own + 2 * radius


def _nearest(point: np.ndarray, box: np.ndarray) -> np.ndarray:
    return np.clip(point, box[:2], box[2:])


def _leader(start: np.ndarray, end: np.ndarray, skipped: float) -> Boxes:
    """Cover a line, except its start, with squares of the margin's size."""
    length = np.hypot(*(end - start))
    parts = np.arange(skipped + 2 * _MARGIN, length - _MARGIN, 2 * _MARGIN) / length
    squares = start + parts[:, None] * (end - start)
    return np.hstack((squares - _MARGIN / 2, squares + _MARGIN / 2))


def _choose(
    candidates: Sequence[Sequence[_Place]], markers: Boxes, bars: Boxes, frame: Boxes
) -> list[_Place]:
    """Choose a place for each label, and repeat until none moves."""
    chosen: list[_Place | None] = [None] * len(candidates)
    for _ in range(_ROUNDS):
        before = list(chosen)
        for index, places in enumerate(candidates):
            others = [p for i, p in enumerate(chosen) if p is not None and i != index]
            solid = [markers, *(part for p in others for part in (p.box, p.leader))]
            solid = np.concatenate(solid)
            prices = [_price(place, solid, bars, frame) for place in places]
            chosen[index] = places[int(np.argmin(prices))]
        if all(one is other for one, other in zip(chosen, before, strict=True)):
            break
    return chosen


def _price(place: _Place, solid: Boxes, bars: Boxes, frame: Boxes) -> float:
    left, bottom, right, top = place.box[0]
    outside = (right - left) * (top - bottom) - _shared_area(place.box, frame)
    covered = _shared_area(place.box, solid) + _shared_area(place.leader, solid)
    return (
        place.price
        + _CROSS * _shared_area(place.box, bars)
        + _COVER * covered
        + _LEAVE * outside
    )


def _shared_area(boxes: Boxes, others: Boxes) -> float:
    """Sum the areas that each of ``boxes``, grown by the margin, shares with others."""
    starts = np.maximum(boxes[:, None, :2] - _MARGIN, others[None, :, :2])
    ends = np.minimum(boxes[:, None, 2:] + _MARGIN, others[None, :, 2:])
    return float(np.clip(ends - starts, 0, None).prod(axis=-1).sum())


def _draw(axes: Axes, label: Label, centre: np.ndarray, place: _Place) -> None:
    text = axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=tuple(place.offset),
        textcoords='offset pixels',
        ha='center',
        va='center',
        fontsize=_FONT_SIZE,
        color=INK,
        parse_math=False,
        zorder=4,
    )
    text.set_path_effects([withStroke(linewidth=3, foreground='white')])
    if len(place.leader):
        border = place.box[0] + _MARGIN * np.array([-1, -1, 1, 1])
        ends = np.stack((centre, _nearest(centre, border)), axis=1)
        # Without a transform the coordinates are pixels.
        axes.add_artist(
            Line2D(*ends, color=_LEADER, linewidth=0.9, transform=None, zorder=1.5)
        )
