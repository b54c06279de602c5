"""The anchors of the configs are those of the port."""

import zlib

import numpy as np
import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmengine.config import Config

# Of the port's array, float32.
CRC32 = {320: 3954529979}


def port_priors(size: int) -> np.ndarray:
    """``(cx, cy, w, h)`` as fractions of the image."""
    rows = []
    for step in (8, 16, 32, 64):
        side = 4 * step / size
        wide, high = side * np.sqrt(2), side / np.sqrt(2)
        for y, x in np.ndindex(size // step, size // step):
            centre = (x + 0.5) * step / size, (y + 0.5) * step / size
            shapes = [(side, side), (wide, high), (high, wide)]
            rows += [(*centre, *shape) for shape in shapes]
    return np.clip(rows, 0, 1).astype(np.float32)


@pytest.mark.parametrize(('size', 'count'), [(320, 6375), (512, 16320)])
def test_priors(size: int, count: int, config: Config) -> None:
    expected = port_priors(size)
    assert len(expected) == count
    if size in CRC32:
        assert zlib.crc32(expected.tobytes()) == CRC32[size]

    settings = {**config.model.bbox_head.anchor_generator, 'input_size': size}
    generator = TASK_UTILS.build(settings)
    maps = [(size // step, size // step) for step in (8, 16, 32, 64)]
    boxes = torch.cat(generator.grid_priors(maps, device='cpu')).numpy() / size
    low, high = boxes[:, :2], boxes[:, 2:]
    priors = np.concatenate([(low + high) / 2, high - low], axis=1)
    np.testing.assert_allclose(priors, expected, rtol=0, atol=1e-6)
