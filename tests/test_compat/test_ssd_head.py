"""MMDetection's own SSD head predicts."""

from math import log

import pytest
import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import nn

from m2det_mmdet.utils.configs import load_config

# Anchors around the centre (32, 32) of one cell; the first has a side of 30.
ANCHORS = {
    'type': 'SSDAnchorGenerator',
    'scale_major': False,
    'strides': [64],
    'ratios': [[2]],
    'min_sizes': [30],
    'max_sizes': [60],
}
TEST_CFG = ConfigDict(
    nms={'type': 'nms', 'iou_threshold': 0.45},
    nms_pre=9,
    score_thr=0.02,
    max_per_img=9,
)
IMAGE = {'img_shape': (64, 64), 'scale_factor': (1.0, 1.0)}


def head_of(kind: type[SSDHead]) -> SSDHead:
    return kind(
        num_classes=2, in_channels=(4,), anchor_generator=ANCHORS, test_cfg=TEST_CFG
    )


def test_scores_are_a_softmax_whose_last_class_is_background() -> None:
    # Of four anchors all but the first are background.
    scores = torch.tensor([[log(6), log(3), log(1)], *3 * [[0.0, 0.0, 50.0]]])

    (found,) = head_of(SSDHead).predict_by_feat(
        [scores.view(1, 12, 1, 1)], [torch.zeros(1, 16, 1, 1)], batch_img_metas=[IMAGE]
    )

    assert found.labels.tolist() == [0, 1]
    torch.testing.assert_close(found.scores, torch.tensor([0.6, 0.3]))
    torch.testing.assert_close(found.bboxes, torch.tensor([[17.0, 17, 47, 47]] * 2))


class HeadWithLoss(SSDHead):
    """As those that others have written to predict."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.loss_cls = nn.CrossEntropyLoss()


def test_a_derived_head_keeps_its_own_loss() -> None:
    assert isinstance(head_of(HeadWithLoss).loss_cls, nn.CrossEntropyLoss)


@pytest.mark.parametrize(
    'config',
    [
        'ssd/ssd300_coco.py',
        'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py',
        'pisa/ssd300_pisa_coco.py',
    ],
)
@torch.no_grad()
def test_the_heads_of_all_configs_predict(config: str) -> None:
    settings = load_config(f'mmdet::{config}').model
    # Of 81 classes none has much with random weights.
    test_cfg = ConfigDict(settings.test_cfg, score_thr=0.0)
    head = MODELS.build({**settings.bbox_head, 'test_cfg': test_cfg})
    head.init_weights()
    maps = [torch.rand(1, channels, 1, 1) for channels in head.in_channels]

    (found,) = head.eval().predict_by_feat(*head(maps), batch_img_metas=[IMAGE])

    assert len(found) > 0
    assert found.bboxes.isfinite().all()
    assert ((found.scores > 0) & (found.scores < 1)).all()
    assert found.labels.max() < head.num_classes
