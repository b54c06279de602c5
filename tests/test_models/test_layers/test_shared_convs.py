import pytest
import torch
from torch import nn

from m2det_mmdet.models.layers import SharedConvs


def maps(channels: int = 2) -> list[torch.Tensor]:
    return [torch.randn(2, channels, side, side) for side in (4, 2)]


def test_all_scales_pass_through_the_same_convolutions() -> None:
    layer = SharedConvs([2, 2], 3, 2)
    found = layer(maps := [torch.randn(1, 2, 4, 4)] * 2)

    assert torch.equal(found[0], found[1])
    conv, other = layer.convs
    expected = other(conv(maps[0]).relu()).relu()
    assert torch.equal(found[0], expected)
    # Two convolutions with biases.
    assert sum(p.numel() for p in layer.parameters()) == 2 * 3 * 9 + 3 + 3 * 3 * 9 + 3


def test_each_scale_has_norms_of_its_own() -> None:
    layer = SharedConvs([2, 2], 3, 1, norm_cfg={'type': 'BN'}, act_cfg={'type': 'GELU'})
    layer(maps())

    assert layer.convs[0].bias is None
    assert isinstance(layer.activation, nn.GELU)
    (first,), (second,) = layer.norms
    assert first.running_mean.all()
    assert second.running_mean.all()
    assert not torch.equal(first.running_mean, second.running_mean)


def test_depthwise_convolutions_are_followed_by_pointwise_ones() -> None:
    layer = SharedConvs([2, 2], 3, 2, depthwise=True, norm_cfg={'type': 'BN'})

    shapes = [tuple(conv.weight.shape) for conv in layer.convs]
    assert shapes == [(2, 1, 3, 3), (3, 2, 1, 1), (3, 1, 3, 3), (3, 3, 1, 1)]
    assert [tuple(x.shape) for x in layer(maps())] == [(2, 3, 4, 4), (2, 3, 2, 2)]


def test_maps_of_other_channels_are_named() -> None:
    with pytest.raises(ValueError, match=r'equal channels, got \[2, 4\]'):
        SharedConvs([2, 4], 3, 1)
