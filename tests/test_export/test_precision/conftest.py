"""A detector of a few layers as a model of ONNX, and images for it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from m2det_mmdet.export.onnx_file import to_onnx
from m2det_mmdet.ops.traced_soft_nms import traced_soft_nms

NAMES = ('boxes', 'scores', 'labels', 'all_boxes', 'all_scores')


class _Tiny(nn.Module):
    """Boxes beyond 2,048 pixels, which float16 holds to steps of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(8, 8, 3, padding=1)
        self.places = nn.Conv2d(8, 2, 1)
        self.classes = nn.Conv2d(8, 2, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps = self.stem(images).relu()
        maps = maps + self.middle(maps).relu()
        # As the L2 normalisation of SSD: its squares are beyond the range of float16.
        large = maps * 300
        maps = large / large.pow(2).sum(1, keepdim=True).sqrt().clamp(min=1.0)
        corners = self.places(maps).flatten(2).transpose(1, 2) * 10 + 3000
        boxes = torch.cat((corners, corners + 20), 2)
        scores = self.classes(maps).flatten(2).transpose(1, 2).sigmoid()
        found = traced_soft_nms(boxes, scores, score_thr=0.4, max_num=6)
        return (*found, boxes, scores)


@pytest.fixture(scope='session')
def model() -> object:
    torch.manual_seed(0)
    network = _Tiny().eval()
    free = {0: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        program = torch.export.export(
            network, (torch.randn(2, 3, 16, 16),), dynamic_shapes=(free,)
        )
    return to_onnx(program, NAMES)


@pytest.fixture
def images() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [
        generator.standard_normal((1, 3, 16, 16)).astype(np.float32) for _ in range(8)
    ]
