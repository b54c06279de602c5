"""The anchors of the release configs are those of the released code."""

import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmengine.config import Config

RELEASE = Path(__file__).parents[2] / 'configs/m2det/release'
# Cells of each map, steps in pixels, hundredths of the image's side.
MAPS = {
    320: (40, 20, 10, 5, 3, 1),
    512: (64, 32, 16, 8, 4, 2),
    704: (88, 44, 22, 11, 6, 4),
    800: (100, 50, 25, 13, 7, 5),
}
STEPS = {
    320: (8, 16, 32, 64, 107, 320),
    512: (8, 16, 32, 64, 128, 256),
    704: (8, 16, 32, 64, 117, 176),
    800: (8, 16, 32, 62, 115, 160),
}
SIZES = {
    320: (8, 15, 33, 51, 69, 87, 105),
    512: (6, 15, 33, 51, 69, 87, 105),
    704: (4, 11, 23, 39, 58, 80, 105),
    800: (4, 15, 33, 51, 69, 87, 105),
}
# Of the released code's array, float32.
CRC32 = {320: 1698030027, 512: 4079091893}


def released_priors(size: int) -> np.ndarray:
    """``(cx, cy, w, h)`` as fractions of the image, by the formula of the release."""
    rows = []
    fractions = [hundredths / 100 for hundredths in SIZES[size]]
    for cells, step, (low, high) in zip(
        MAPS[size], STEPS[size], pairwise(fractions), strict=True
    ):
        side = round(low * size, 2) / size
        middle = np.sqrt(side * round(high * size, 2) / size)
        roots = np.sqrt([2, 3])
        shapes = [(side, side), (middle, middle)]
        for root in roots:
            shapes += [(side * root, side / root), (side / root, side * root)]
        for y, x in np.ndindex(cells, cells):
            centre = (x + 0.5) * step / size, (y + 0.5) * step / size
            rows += [(*centre, *shape) for shape in shapes]
    return np.clip(rows, 0, 1).astype(np.float32)


@pytest.mark.parametrize('size', MAPS)
def test_priors_of_the_release(size: int) -> None:
    config = Config.fromfile(RELEASE / f'm2det_vgg_{size}_release.py')
    settings = config.model.bbox_head.anchor_generator
    expected = released_priors(size)
    if size in CRC32:
        assert zlib.crc32(expected.tobytes()) == CRC32[size]

    generator = TASK_UTILS.build(settings)
    maps = [(cells, cells) for cells in MAPS[size]]
    boxes = torch.cat(generator.grid_priors(maps, device='cpu')).numpy() / size
    low, high = boxes[:, :2], boxes[:, 2:]
    priors = np.concatenate([(low + high) / 2, high - low], axis=1)
    np.testing.assert_allclose(priors, expected, rtol=0, atol=1e-6)
