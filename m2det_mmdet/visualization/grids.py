"""Pictures side by side."""

from collections.abc import Sequence

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
