"""Sizes that only an exported graph learns."""

from collections.abc import Sequence

import torch


def is_symbolic(size: Sequence[int]) -> bool:
    """Whether a graph is being exported that takes this size and others."""
    return any(isinstance(side, torch.SymInt) for side in size)
