"""Pictures side by side, and the size that they have there."""

from collections.abc import Sequence

import mmcv
import numpy as np


def arrange(cells: Sequence[np.ndarray], num_columns: int) -> np.ndarray:
    """Arrange pictures of one size, row by row, on white."""
    num_rows = -(-len(cells) // num_columns)
    blank = np.full_like(cells[0], 255)
    cells = [*cells, *[blank] * (num_rows * num_columns - len(cells))]
    rows = [
        np.hstack(cells[start : start + num_columns])
        for start in range(0, len(cells), num_columns)
    ]
    return np.vstack(rows)


def scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """Return an image ``scale`` times as wide and high, at least a pixel each."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    # Where pixels are left out, those of thin things would go.
    interpolation = 'area' if scale < 1 else 'bilinear'
    return mmcv.imresize(image, (width, height), interpolation=interpolation)
