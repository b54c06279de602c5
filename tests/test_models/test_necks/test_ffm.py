import pytest
import torch
from torch import nn

from m2det_mmdet.models.necks import FFMv1, FFMv2


def fill(module: nn.Module, value: float) -> None:
    for parameter in module.parameters():
        nn.init.constant_(parameter, value)


def test_ffmv1_upsamples_each_deep_map_to_the_shallow_grid() -> None:
    fuse = FFMv1((1, 1, 1), out_channels=(1, 1, 1))
    fill(fuse, 0.0)
    for conv in fuse.reduce:
        # The centre tap alone: each convolution copies its input.
        nn.init.dirac_(conv.conv.weight)
    shallow = torch.zeros(1, 1, 3, 3)
    deep = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    deepest = torch.tensor([[[[7.0]]]])

    base = fuse((shallow, deep, deepest))

    assert base.shape == (1, 3, 3, 3)
    assert base[0, 0].eq(0).all()
    # Nearest: cell i of 3 reads cell floor(i * 2 / 3) of 2.
    assert base[0, 1].tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4]]
    assert base[0, 2].eq(7).all()


def test_ffmv1_convolves_the_shallow_map_with_3x3_and_deeper_ones_with_1x1() -> None:
    fuse = FFMv1((1, 1), out_channels=(1, 1))
    fill(fuse, 1.0)
    base = fuse((torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)))

    # Nine, six or four taps inside the map, plus a bias of one.
    assert base[0, 0].tolist() == [[5, 7, 5], [7, 10, 7], [5, 7, 5]]
    assert base[0, 1].eq(2).all()


@pytest.mark.parametrize(
    ('in_channels', 'ffm_channels'), [((8,), (8,)), ((8, 8, 8), (4, 4))]
)
def test_ffmv1_names_channels_that_do_not_pair(
    in_channels: tuple, ffm_channels: tuple
) -> None:
    with pytest.raises(ValueError, match=r'in_channels=.*ffm_channels='):
        FFMv1(in_channels, out_channels=ffm_channels)


def test_ffmv1_names_inputs_that_it_was_not_built_for() -> None:
    fuse = FFMv1((4, 8), out_channels=(2, 2))
    with pytest.raises(ValueError, match=r'\[4, 8\] channels and got 1 of \[4\]'):
        fuse((torch.zeros(1, 4, 2, 2),))


def test_ffmv2_puts_the_previous_map_after_the_thinned_base() -> None:
    fuse = FFMv2(2, 1)
    fill(fuse, 1.0)
    base, previous = torch.full((1, 2, 1, 1), 3.0), torch.full((1, 2, 1, 1), 5.0)

    # 3 + 3 and a bias of one.
    assert fuse(base, previous).flatten().tolist() == [7, 5, 5]
    assert fuse(base).flatten().tolist() == [7]
