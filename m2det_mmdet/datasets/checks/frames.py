"""Boxes that are written in another frame than x, y, width, height in pixels."""

import numpy as np

from ..faults import Faults, Level, new_kind
from ..layouts.folder import DataFolder
from .objects import Objects, objects_of, report_each

BOXES_NORMALISED = new_kind(
    'boxes-normalised',
    Level.STOP,
    'boxes in 0..1, in a split that has little else',
    'Multiply them by the width and height of the image.',
)
BOXES_AS_CORNERS = new_kind(
    'boxes-as-corners',
    Level.STOP,
    'boxes of a split in which all look like x1, y1, x2, y2',
    'Write x, y, width, height.',
)

# A single object may look so by chance.
_FEWEST = 10
_SHARE_OF_CORNERS = 0.99
_SHARE_BEYOND = 0.1
# Pixels; more than what rounding and counting from 1 add.
_ROUNDING = 1


def check_frames(folder: DataFolder, faults: Faults) -> None:
    """Look for splits whose boxes are in 0..1, or are corners."""
    for split, part in folder.parts.items():
        objects = objects_of(split, part)
        if are_normalised(objects):
            report_each(
                faults,
                BOXES_NORMALISED,
                np.flatnonzero(_in_unit(objects)),
                lambda i, objects=objects: f'{objects.describe(i)} lies within 0..1.',
            )
        elif are_corners(objects):
            report_each(
                faults,
                BOXES_AS_CORNERS,
                np.arange(len(objects.boxes)),
                lambda i, objects=objects: (
                    f'{objects.describe(i)} fits the image as two corners.'
                ),
            )


def are_normalised(objects: Objects) -> bool:
    """Whether more than half of the boxes lie in 0..1."""
    return bool(len(objects.boxes)) and _in_unit(objects).mean() > 0.5


def are_corners(objects: Objects) -> bool:
    """Whether boxes make sense as two corners, and not with width and height.

    Nearly all have the second corner right of and below the first, within the image,
    and many reach beyond the image if it is taken for width and height. Of boxes with
    width and height, about one in ten is wider than its distance from the left, and
    higher than that from above.
    """
    if len(objects.boxes) < _FEWEST:
        return False
    first, second = objects.boxes[:, :2], objects.boxes[:, 2:]
    limit = objects.sizes + _ROUNDING
    corners = ((second > first) & (second <= limit)).all(axis=1)
    beyond = (first + second > limit).any(axis=1)
    return corners.mean() >= _SHARE_OF_CORNERS and beyond.mean() >= _SHARE_BEYOND


def _in_unit(objects: Objects) -> np.ndarray:
    first, second = objects.boxes[:, :2], objects.boxes[:, 2:]
    # A millionth for rounding.
    within = (first >= 0) & (second > 0) & (first + second <= 1 + 1e-6)
    # In an image of a pixel or two such a box is one in pixels.
    return (within & (objects.sizes > 2)).all(axis=1)
