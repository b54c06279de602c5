import math
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData

from m2det_mmdet.models.dense_heads import ARMHead

SHIPPED = Config.fromfile(
    Path(__file__).parents[3] / 'configs' / '_base_' / 'models' / 'refinedet_vgg.py'
)
# One map of 2x2 cells of 8 pixels, one square of 8 pixels in each.
META = {'img_shape': (16, 16)}
CONFIG = ConfigDict(
    type='ARMHead',
    in_channels=(3,),
    anchor_generator={
        'type': 'RefineDetAnchorGenerator',
        'input_size': 16,
        'strides': [8],
        'scale': 1,
        'ratios': [],
    },
    bbox_coder={'type': 'SSDBBoxCoder'},
    train_cfg=SHIPPED.model.train_cfg,
)


def build() -> ARMHead:
    return MODELS.build(CONFIG)


def test_it_tells_objects_from_background_and_moves_each_anchor() -> None:
    scores, deltas = build()([torch.zeros(1, 3, 2, 2)])

    assert [tuple(x.shape) for x in scores] == [(1, 2, 2, 2)]
    assert [tuple(x.shape) for x in deltas] == [(1, 4, 2, 2)]


@pytest.mark.parametrize('label', [0, 6])
def test_objects_of_every_class_are_one_class(label: int) -> None:
    truth = InstanceData(
        bboxes=torch.tensor([[0.0, 0.0, 8.0, 8.0]]), labels=torch.tensor([label])
    )
    # Object and background score 2 and 0.
    scores = torch.tensor([2.0, 0.0])[None, :, None, None].repeat(1, 1, 2, 2)
    losses = build().loss_by_feat([scores], [torch.zeros(1, 4, 2, 2)], [truth], [META])

    # One positive, and its three negatives that take themselves for objects.
    object_, background = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    expected = object_ + 3 * background
    assert losses['loss_cls'].item() == pytest.approx(expected, rel=1e-6)
    assert losses['loss_bbox'].item() == 0
    assert truth.labels.tolist() == [label]
