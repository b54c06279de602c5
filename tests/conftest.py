"""What every test needs: the package registered, mmdet's registries in charge."""

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

# Without a GPU Triton's kernels run in its interpreter, which has to be chosen before
# the first import of Triton.
if not torch.cuda.is_available():
    os.environ.setdefault('TRITON_INTERPRET', '1')

from mmengine.registry import DefaultScope  # noqa: E402

import m2det_mmdet  # noqa: E402, F401


@pytest.fixture(autouse=True)
def mmdet_scope() -> Iterator[None]:
    """Let configs name mmdet's modules without their scope, as its tools do.

    The scope that a test sets ends with it.
    """
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.fixture(scope='session')
def split_rows() -> Callable[..., list[Tensor]]:
    """Split rows of anchors ``(N, A, C)`` into a head's square maps."""

    def split(rows: np.ndarray, sides: Sequence[int], num_anchors: int) -> list[Tensor]:
        lengths = [side * side * num_anchors for side in sides]
        parts = torch.from_numpy(rows).split(lengths, dim=1)
        return [
            part.reshape(len(rows), side, side, -1).permute(0, 3, 1, 2).contiguous()
            for side, part in zip(sides, parts, strict=True)
        ]

    return split


@pytest.fixture(scope='session')
def to_rows() -> Callable[[list[Tensor], int], Tensor]:
    """Join a head's maps to rows of anchors ``(N, A, channels)``."""

    def join(maps: list[Tensor], channels: int) -> Tensor:
        rows = [x.permute(0, 2, 3, 1).reshape(len(x), -1, channels) for x in maps]
        return torch.cat(rows, dim=1)

    return join
