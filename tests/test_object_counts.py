"""Training on no object at all, on very many and on very small ones."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor

CONFIGS = Path(__file__).parents[1] / 'configs'
SIDE = 128  # pixels


def _none() -> Tensor:
    return torch.zeros(0, 4)


def _many() -> Tensor:
    """500 boxes of all sizes, most of them over others."""
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(500, 2, generator=generator) * (SIDE - 2)
    extent = 1 + torch.rand(500, 2, generator=generator) * (SIDE - 1 - start)
    return torch.cat([start, start + extent], dim=1)


def _tiny() -> Tensor:
    """Boxes of one pixel, at the corners and in the middle."""
    start = torch.tensor([[0.0, 0.0], [SIDE - 1, SIDE - 1], [60, 61], [60, 61]])
    return torch.cat([start, start + 1], dim=1)


@pytest.mark.parametrize(
    'name', ['m2det/m2det_r18_scenes', 'refinedet/refinedet_r18_scenes']
)
@pytest.mark.parametrize(
    'images',
    [(_none, _none), (_many, _tiny)],
    ids=['no object', '500 and tiny'],
)
def test_losses_and_gradients_are_finite(name: str, images: tuple) -> None:
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).train()
    samples = []
    for boxes in (make() for make in images):
        sample = DetDataSample()
        shape = (SIDE, SIDE)
        sample.set_metainfo(
            {'img_shape': shape, 'pad_shape': shape, 'batch_input_shape': shape}
        )
        labels = torch.arange(len(boxes)) % 10
        sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)

    losses = model.loss(torch.randn(2, 3, SIDE, SIDE), samples)
    total, _ = model.parse_losses(losses)
    total.backward()

    assert torch.isfinite(total)
    gradients = [x.grad for x in model.parameters() if x.grad is not None]
    assert gradients
    assert all(x.isfinite().all() for x in gradients)
    if images != (_none, _none):
        # Each object is learned from at least one anchor.
        assert total > 0
        assert any(x.any() for x in gradients)
