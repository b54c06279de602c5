"""Fusion of the levels of an RoI, for PANet."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

_OPERATORS = {'max': torch.maximum, 'sum': torch.add}


class LevelFusion(nn.Module):
    """Fuse tensors of equal shape, element by element, without weights.

    Args:
        kind: ``'max'`` or ``'sum'``.

    Shape:
        - Input: at least one tensor, all of the shape ``(K, ...)``.
        - Output: ``(K, ...)``.

    Raises:
        ValueError: If ``kind`` is not known.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind not in _OPERATORS:
            raise ValueError(
                f'fusion must be {" or ".join(map(repr, _OPERATORS))}, got {kind!r}.'
            )
        self.kind = kind

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the maximum or the sum."""
        return reduce(_OPERATORS[self.kind], levels)

    def extra_repr(self) -> str:
        """Return what a printed model says of it."""
        return repr(self.kind)
