import math

import pytest
import torch
from mmdet.models.losses.gfocal_loss import quality_focal_loss
from mmdet.models.losses.varifocal_loss import varifocal_loss
from torch import Tensor

from m2det_mmdet.models.losses import build_class_loss, class_losses, learns_quality

# One image, three anchors, two classes: the object of class 1 is the first anchor's.
LABELS = torch.tensor([[1, 2, 2]])
SCORES = torch.tensor([[[0.5, -1.0], [2.0, 0.0], [-3.0, 1.0]]])
QUALITY = torch.tensor([[0.7, 0.0, 0.0]])


def costs(kind: str, positive: Tensor, **settings: object) -> list[float]:
    loss = build_class_loss({'type': kind, **settings})
    return class_losses(loss, SCORES, LABELS, positive)[0].tolist()


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_focal_loss_of_each_anchor_is_the_sum_of_its_classes() -> None:
    found = costs('FocalLoss', LABELS < 2, gamma=2.0, alpha=0.25)

    def as_class(x: float) -> float:
        return -0.25 * (1 - sigmoid(x)) ** 2 * math.log(sigmoid(x))

    def as_background(x: float) -> float:
        return -0.75 * sigmoid(x) ** 2 * math.log(1 - sigmoid(x))

    expected = [
        as_background(0.5) + as_class(-1.0),
        as_background(2.0) + as_background(0.0),
        as_background(-3.0) + as_background(1.0),
    ]
    assert found == pytest.approx(expected, rel=1e-5)


def test_quality_focal_loss_is_that_of_labels_and_qualities() -> None:
    expected = quality_focal_loss(
        SCORES[0], (LABELS[0], QUALITY[0]), beta=1.5, reduction='none'
    )
    found = costs('QualityFocalLoss', QUALITY, beta=1.5)
    assert found == pytest.approx(expected.tolist(), rel=1e-6)


def test_varifocal_loss_has_the_quality_as_its_target() -> None:
    target = torch.tensor([[0.0, 0.7], [0.0, 0.0], [0.0, 0.0]])
    expected = varifocal_loss(SCORES[0], target, reduction='none').sum(dim=1)
    assert costs('VarifocalLoss', QUALITY) == pytest.approx(expected.tolist(), rel=1e-6)


def test_cross_entropy_has_the_background_last() -> None:
    loss = build_class_loss({'type': 'CrossEntropyLoss', 'loss_weight': 2.0})
    scores = torch.tensor([[[0.0, 1.0, 3.0]]])
    found = class_losses(loss, scores, torch.tensor([[2]]), torch.zeros(1, 1))
    total = math.log(1 + math.e + math.exp(3))
    assert found.item() == pytest.approx(2 * (total - 3), rel=1e-6)


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('CrossEntropyLoss', False),
        ('FocalLoss', False),
        ('QualityFocalLoss', True),
        ('VarifocalLoss', True),
    ],
)
def test_two_losses_learn_the_quality(kind: str, expected: bool) -> None:
    assert learns_quality(build_class_loss({'type': kind})) is expected


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (
            {'type': 'CrossEntropyLoss', 'use_sigmoid': True},
            r'use_sigmoid=True, but with CrossEntropyLoss .* before a softmax: remove',
        ),
        ({'type': 'CrossEntropyLoss', 'use_mask': True}, r'use_mask=True, but'),
        (
            {'type': 'FocalLoss', 'use_sigmoid': False},
            r'use_sigmoid=False, but with FocalLoss .* before a sigmoid for each class',
        ),
        (
            {'type': 'QualityFocalLoss', 'activated': True},
            r'activated=True, but with QualityFocalLoss',
        ),
        (
            {'type': 'GIoULoss'},
            r'loss_cls.type must be one of CrossEntropyLoss, FocalLoss, .*got GIoULoss',
        ),
        ({'type': 'FocalCustomLoss', 'num_classes': 2}, 'got FocalCustomLoss'),
        ({'type': 'NoLoss'}, 'got NoLoss'),
        ({'beta': 2.0}, "loss_cls must be a dict with the key 'type', got {'beta'"),
        ('FocalLoss', "loss_cls must be a dict with the key 'type', got 'FocalLoss'"),
    ],
)
def test_another_activation_or_loss_is_named(
    settings: dict | str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_class_loss(settings)
