"""Parts of maps."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...utils.symbolic import is_symbolic


def cropped(x: Tensor, size: Sequence[int], start: Sequence[int] = (0, 0)) -> Tensor:
    """Return a part of maps ``(..., H, W)``.

    Args:
        x: The maps.
        size: Cells ``(height, width)`` of the part.
        start: Cells above it and at its left.
    """
    if is_symbolic(size):
        # By slices a graph of any size would learn whether they cut something off.
        for dim, count, first in zip((-2, -1), size, start, strict=True):
            places = torch.arange(count, device=x.device) + first
            x = x.index_select(dim, places)
        return x
    (top, left), (height, width) = start, size
    return x[..., top : top + height, left : left + width]
