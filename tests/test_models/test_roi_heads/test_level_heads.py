from typing import Any

import pytest
import torch
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from torch import Tensor

from m2det_mmdet.models.roi_heads import PANetBBoxHead, PANetMaskHead

BOXES = {'in_channels': 1, 'roi_feat_size': 1, 'fc_out_channels': 2, 'num_classes': 1}
MASKS = {'in_channels': 1, 'conv_out_channels': 1, 'num_classes': 1}
# One RoI of one cell and one channel, from each of three levels.
LEVELS = [torch.full((1, 1, 1, 1), value) for value in (1.0, 2.0, 3.0)]


@torch.no_grad()
def box_head(fusion: str) -> PANetBBoxHead:
    """A head whose first layers give (2, -1), (-4, 6) and (3, 0) for the levels."""
    head = PANetBBoxHead(**BOXES, num_levels=3, fusion=fusion)
    for fc, weight in zip(
        head.level_fcs, ([2.0, -1.0], [-2.0, 3.0], [1.0, 0.0]), strict=True
    ):
        fc.weight.copy_(torch.tensor(weight)[:, None])
        fc.bias.zero_()
    (second,) = head.shared_fcs
    second.weight.copy_(torch.eye(2))
    second.bias.zero_()
    head.fc_cls.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    head.fc_cls.bias.zero_()
    return head


# ReLU goes before: (2, 0), (0, 6) and (3, 0).
@pytest.mark.parametrize(('fusion', 'expected'), [('max', [3, 6]), ('sum', [5, 6])])
def test_each_level_has_a_first_layer_and_then_they_fuse(
    fusion: str, expected: list[float]
) -> None:
    scores, deltas = box_head(fusion)(LEVELS)

    assert scores.tolist() == [expected]
    assert deltas.shape == (1, 4)


def test_with_equal_first_layers_and_levels_it_is_the_head_of_mmdet() -> None:
    torch.manual_seed(0)
    plain = Shared2FCBBoxHead(in_channels=2, roi_feat_size=3, fc_out_channels=8)
    head = PANetBBoxHead(in_channels=2, roi_feat_size=3, fc_out_channels=8)
    weights = plain.state_dict()
    for part in ('weight', 'bias'):
        first = weights.pop(f'shared_fcs.0.{part}')
        weights[f'shared_fcs.0.{part}'] = weights.pop(f'shared_fcs.1.{part}')
        weights |= {f'level_fcs.{i}.{part}': first for i in range(4)}
    head.load_state_dict(weights)
    x = torch.rand(5, 2, 3, 3)

    for ours, theirs in zip(head([x] * 4), plain(x), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_first_layers_are_initialised_as_those_of_mmdet_each_by_itself() -> None:
    torch.manual_seed(0)
    head = PANetBBoxHead(in_channels=4, roi_feat_size=7, fc_out_channels=64)
    head.init_weights()

    # Xavier's: uniform within the root of 6 / (inputs + outputs).
    limit = (6 / (4 * 49 + 64)) ** 0.5
    for fc in head.level_fcs:
        assert fc.weight.abs().max().item() == pytest.approx(limit, rel=0.01)
        assert not fc.bias.any()
    first, *others = (fc.weight for fc in head.level_fcs)
    assert all((first != weight).any() for weight in others)


def test_gradient_reaches_every_layer_and_level() -> None:
    torch.manual_seed(0)
    head = PANetBBoxHead(in_channels=2, roi_feat_size=3, fc_out_channels=32)
    head.init_weights()
    levels = [torch.rand(5, 2, 3, 3, requires_grad=True) for _ in range(4)]

    scores, deltas = head(levels)
    (scores.square().sum() + deltas.square().sum()).backward()

    assert all(p.grad.any() for p in head.parameters())
    assert all(x.grad.any() for x in levels)


@torch.no_grad()
@pytest.mark.parametrize(('fusion', 'expected'), [('max', 6), ('sum', 8)])
def test_masks_fuse_behind_the_first_convolution(fusion: str, expected: float) -> None:
    head = PANetMaskHead(
        **MASKS, num_convs=2, num_levels=3, fusion=fusion, conv_kernel_size=1
    )
    # 2, 0 by ReLU, and 6.
    for conv, weight in zip(head.level_convs, (2.0, -1.0, 2.0), strict=True):
        conv.conv.weight.fill_(weight)
        conv.conv.bias.zero_()
    (second,) = head.convs
    for layer in (second.conv, head.upsample, head.conv_logits):
        layer.weight.fill_(1)
        layer.bias.zero_()

    masks = head(LEVELS)

    assert masks.flatten().tolist() == [expected] * 4


def test_with_equal_convolutions_the_mask_head_is_that_of_mmdet() -> None:
    torch.manual_seed(0)
    plain, head = FCNMaskHead(2, in_channels=3), PANetMaskHead(2, in_channels=3)
    weights = plain.state_dict()
    for part in ('conv.weight', 'conv.bias'):
        first = weights.pop(f'convs.0.{part}')
        weights[f'convs.0.{part}'] = weights.pop(f'convs.1.{part}')
        weights |= {f'level_convs.{i}.{part}': first for i in range(4)}
    head.load_state_dict(weights)
    x = torch.rand(2, 3, 4, 4)

    torch.testing.assert_close(head([x] * 4), plain(x))


def test_convolutions_of_the_levels_are_initialised_each_by_itself() -> None:
    head = PANetMaskHead(**MASKS)
    head.init_weights()

    first, *others = (conv.conv.weight for conv in head.level_convs)
    assert all((first != weight).any() for weight in others)


@pytest.mark.parametrize(
    ('x', 'message'),
    [
        (LEVELS[:2], r'each of 3 levels .*bbox_roi_extractor pools from 2.*levels=2'),
        (LEVELS[0], r"bbox_roi_extractor gives one map .* 'AllLevelRoIExtractor'"),
    ],
)
def test_what_it_has_no_layers_for_is_named(x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        box_head('max')(x)


@pytest.mark.parametrize(
    ('kind', 'settings', 'message'),
    [
        (PANetBBoxHead, {'fusion': 'mean'}, "'max' or 'sum', got 'mean'"),
        (PANetBBoxHead, {'with_avg_pool': True}, 'leave with_avg_pool out'),
        (PANetMaskHead, {'num_convs': 0}, 'num_convs=0: give 1 or more'),
    ],
)
def test_what_it_cannot_be_is_named(kind: type, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_no_roi_gives_none() -> None:
    levels: list[Tensor] = [x[:0] for x in LEVELS]

    scores, deltas = box_head('max')(levels)

    assert scores.shape == (0, 2)
    assert deltas.shape == (0, 4)
