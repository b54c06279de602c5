"""What would reach the objects that no anchor reaches."""

from collections.abc import Sequence

import numpy as np

from .objects import Objects
from .reach import Shape


def what_would_reach(
    missed: Objects, shapes: Sequence[Sequence[Shape]], iou_thr: float
) -> str | None:
    """Say in a clause why most of them are not reached, and what would reach them.

    An object whose area is less than ``iou_thr`` of the smallest anchor's cannot be
    reached by any shape of anchor, and likewise a large one. Of the others some have
    sides of which no anchor has an equal, and the rest lies between centres.

    Args:
        missed: Objects that are not reached.
        shapes: Width and height of the anchors in a cell of each scale, input pixels.
        iou_thr: The IoU that reaches an object.

    Returns:
        The clause, which follows a colon; ``None`` if there is no such object.
    """
    if not len(missed):
        return None
    anchors = np.array([shape for level in shapes for shape in level])
    areas, anchor_areas = missed.sides.prod(axis=1), anchors.prod(axis=1)
    small = areas < iou_thr * anchor_areas.min()
    large = areas > anchor_areas.max() / iou_thr
    fits = _concentric(missed.sides, anchors).max(axis=1) >= iou_thr
    causes = {
        'small': small,
        'large': large,
        'shape': ~(small | large | fits),
        'place': fits,
    }
    cause = max(causes, key=lambda name: causes[name].sum())
    group = missed.sides[causes[cause]]
    side = f'{np.sqrt(np.median(group.prod(axis=1))):.0f}'
    every = len(group) == len(missed)
    count = 'all' if every else f'{len(group):,} of them'
    if cause == 'small':
        least = np.sqrt(anchor_areas.min())
        return (
            f'{count} are too small for the smallest anchors, of {least:.0f} pixels a '
            f'side: they need anchors of about {side} pixels, or a larger input.'
        )
    if cause == 'large':
        most = np.sqrt(anchor_areas.max())
        return (
            f'{count} are too large for the largest anchors, of {most:.0f} pixels a '
            f'side: they need anchors of about {side} pixels.'
        )
    if cause == 'shape':
        ratio = np.median(group.max(axis=1) / group.min(axis=1))
        return (
            f'{count} are longer or rounder than the anchors of their size: they need '
            f'anchors whose longer side is about {ratio:.1f} times the shorter.'
        )
    return (
        f'{count} lie between the centres of anchors of their size: they need anchors '
        f'of about {side} pixels at a finer scale, or a larger input.'
    )


def _concentric(sides: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """IoU ``(N, A)`` of boxes and anchors of given sides around the same centre."""
    shared = np.minimum(sides[:, None], anchors).prod(axis=2)
    union = sides.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared
    return shared / union
