"""The best IoU of each object with any anchor, without a look at every anchor.

The overlap of an object and an anchor of given sides is the product of the overlaps of
their sides, and each falls with the distance of the centres on its axis. So the best
anchor of given sides is the one at the nearest centre, and each scale takes one IoU for
each of its shapes.
"""

from collections.abc import Sequence

import numpy as np

from .grids import Grid
from .objects import Objects

Shape = tuple[float, float]


class Reach:
    """Computes how well anchors reach objects.

    Args:
        objects: The objects.
        grids: The grid of each scale.
    """

    def __init__(self, objects: Objects, grids: Sequence[Grid]) -> None:
        self.objects = objects
        self.grids = grids

    def best(self, shapes: Sequence[Sequence[Shape]]) -> np.ndarray:
        """Return the best IoU of each object with any anchor, ``(N,)``.

        Args:
            shapes: Width and height of the anchors in a cell of each scale, input
                pixels.
        """
        levels = [self.of_level(*level) for level in enumerate(shapes)]
        return np.max(levels, axis=0)

    def of_level(self, level: int, shapes: Sequence[Shape]) -> np.ndarray:
        """Return the best IoU of each object with the anchors of a scale, ``(N,)``."""
        return np.max([self._of_shape(level, shape) for shape in shapes], axis=0)

    def _of_shape(self, level: int, shape: Shape) -> np.ndarray:
        """Return the best IoU of each object with anchors of one shape."""
        grid, objects = self.grids[level], self.objects
        sides = np.minimum(shape, grid.limit)
        shared, area = 1.0, 1.0
        for axis in (0, 1):
            side = sides[:, axis][objects.image]
            distance = _distance(grid, axis, sides[:, axis], objects)
            own = objects.sides[:, axis]
            overlap = np.minimum((side + own) / 2 - distance, np.minimum(side, own))
            shared = shared * overlap.clip(min=0)
            area = area * side
        union = area + objects.sides.prod(axis=1) - shared
        return (shared / union).astype(np.float32)


def _distance(grid: Grid, axis: int, sides: np.ndarray, objects: Objects) -> np.ndarray:
    """Return the distance of each object's centre from the nearest of anchors.

    It is infinite where no anchor of these sides may be used.

    Args:
        grid: The grid.
        axis: 0 for x, 1 for y.
        sides: Sides of the anchor on this axis by size of image.
        objects: The objects.
    """
    first, step, count, limit, border = (
        part[:, axis]
        for part in (grid.first, grid.step, grid.count, grid.limit, grid.border)
    )
    # Indices of the centres at which the anchor stays inside.
    half = sides / 2 - grid.overhang
    lowest, highest = np.zeros_like(first), count - 1
    if np.isfinite(border).all():
        lowest = np.maximum(lowest, np.ceil((half - first) / step))
        # mmdet wants the right side to be smaller than the border.
        last = np.ceil((border - half - first) / step) - 1
        highest = np.minimum(highest, last)
    image, centre = objects.image, objects.centres[:, axis]
    below = np.floor((centre - first[image]) / step[image])
    distances = []
    for index in (below, below + 1):
        index = np.maximum(np.minimum(index, highest[image]), lowest[image])
        position = np.minimum(first[image] + index * step[image], limit[image])
        distances.append(np.abs(centre - position))
    nearest = np.minimum(*distances)
    return np.where((lowest <= highest)[image], nearest, np.inf)
