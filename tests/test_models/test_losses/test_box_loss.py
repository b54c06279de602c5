import pytest
import torch

from m2det_mmdet.models.losses import box_loss, build_box_loss, learns_decoded_boxes

# IoU 0.5 and 1.
BOXES = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 4.0, 4.0]])
OBJECTS = torch.tensor([[0.0, 0.0, 10.0, 20.0], [0.0, 0.0, 4.0, 4.0]])


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        # One side differs by 10.
        (None, 10 - 0.5),
        ({'type': 'SmoothL1Loss', 'beta': 4.0}, 10 - 2.0),
        ({'type': 'L1Loss', 'loss_weight': 0.5}, 5.0),
        ({'type': 'IoULoss', 'mode': 'linear'}, 0.5),
        ({'type': 'GIoULoss', 'loss_weight': 2.0}, 1.0),
        # The centres are 5 apart, the corners of both together sqrt(500).
        ({'type': 'DIoULoss'}, 0.5 + 25 / 500),
    ],
)
def test_a_loss_is_the_sum_over_the_boxes(settings: dict, expected: float) -> None:
    loss = build_box_loss(settings)
    for first in (1.0, 0.25):
        weights = torch.tensor([first, 1.0])
        found = box_loss(loss, BOXES, OBJECTS, weights).item()
        assert found == pytest.approx(first * expected, rel=1e-5)


@pytest.mark.parametrize('kind', ['SmoothL1Loss', 'L1Loss', 'GIoULoss', 'CIoULoss'])
def test_no_boxes_cost_nothing(kind: str) -> None:
    boxes = torch.zeros(0, 4, requires_grad=True)
    loss = build_box_loss({'type': kind})
    loss = box_loss(loss, boxes, boxes.detach(), torch.zeros(0))
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize(
    ('kind', 'decoded'),
    [('SmoothL1Loss', False), ('L1Loss', False), ('CIoULoss', True)],
)
def test_the_type_tells_whether_boxes_are_decoded(kind: str, decoded: bool) -> None:
    loss = build_box_loss({'type': kind})
    assert learns_decoded_boxes(loss, None) is decoded
    assert learns_decoded_boxes(loss, decoded) is decoded
    boxes = 'boxes in pixels' if decoded else 'encoded boxes'
    message = f'{kind} of loss_bbox learns {boxes}: remove .*={not decoded}'
    with pytest.raises(ValueError, match=message):
        learns_decoded_boxes(loss, not decoded)


def test_beta_may_stand_in_one_place() -> None:
    assert build_box_loss(None, 0.2).beta == 0.2
    assert build_box_loss({'type': 'SmoothL1Loss'}, 0.2).beta == 0.2
    assert build_box_loss({'beta': 0.2}).beta == 0.2
    assert build_box_loss({'type': 'SmoothL1Loss', 'beta': 0.3}).beta == 0.3
    assert not hasattr(build_box_loss({'type': 'GIoULoss'}, 0.2), 'beta')
    with pytest.raises(ValueError, match=r'beta=0.3, but train_cfg .*=0.2: give one'):
        build_box_loss({'type': 'SmoothL1Loss', 'beta': 0.3}, 0.2)


def test_another_loss_is_named() -> None:
    with pytest.raises(ValueError, match=r'must be one of SmoothL1Loss.*got FocalLoss'):
        build_box_loss({'type': 'FocalLoss'})
    with pytest.raises(ValueError, match="must be a dict .* got 'GIoULoss'"):
        build_box_loss('GIoULoss')
