import pytest
import torch
from torch import nn

from m2det_mmdet.models.necks import TUM
from m2det_mmdet.models.necks.tum import scale_sizes


@pytest.mark.parametrize(
    ('cells', 'expected'),
    [
        (40, [40, 20, 10, 5, 3, 1]),
        (64, [64, 32, 16, 8, 4, 2]),
        (88, [88, 44, 22, 11, 6, 4]),
        (100, [100, 50, 25, 13, 7, 5]),
    ],
)
def test_scale_sizes_are_those_of_the_paper(cells: int, expected: list[int]) -> None:
    assert scale_sizes((cells, cells), 6) == [(n, n) for n in expected]


@pytest.mark.parametrize('exact', [False, True])
@pytest.mark.parametrize('grid', [(40, 40), (33, 50), (37, 41)])
def test_maps_have_the_promised_sizes(grid: tuple[int, int], exact: bool) -> None:
    tum = TUM(2, channels=2, out_channels=3, exact_strides=exact)
    maps = tum(torch.zeros(1, 2, *grid))

    assert [tuple(x.shape[2:]) for x in maps] == scale_sizes(
        grid, 6, exact_strides=exact
    )
    assert {x.shape[1] for x in maps} == {3}


def decoded_by_hand(smooth: bool) -> list[list]:
    """A TUM of two scales whose convolutions sum a 3x3 map of ones.

    Unpadded encoder: one cell of 9. Top: 9. Lateral (padded): 4, 6 or 9 taps.
    Decoder: lateral plus 9. A smoothing convolution of weight two doubles it.
    """
    fine = [[13, 15, 13], [15, 18, 15], [13, 15, 13]]
    factor = 2 if smooth else 1
    return [[[value * factor for value in row] for row in fine], [[9]]]


@pytest.mark.parametrize('smooth', [False, True])
def test_decoder_adds_the_upsampled_map_and_smooths_all_but_the_smallest(
    smooth: bool,
) -> None:
    tum = TUM(1, channels=1, out_channels=1, num_scales=2, smooth=smooth)
    for name, parameter in tum.named_parameters():
        weight = 2.0 if 'smooth' in name else 1.0
        nn.init.constant_(parameter, 0.0 if name.endswith('bias') else weight)

    maps = tum(torch.ones(1, 1, 3, 3))

    assert [x[0, 0].tolist() for x in maps] == decoded_by_hand(smooth)


def test_smoothed_maps_do_not_feed_the_next_scale() -> None:
    torch.manual_seed(0)
    config = {'in_channels': 2, 'channels': 2, 'out_channels': 2, 'num_scales': 4}
    tum, plain = TUM(**config), TUM(**config, smooth=False)
    plain.load_state_dict(tum.state_dict(), strict=False)
    x = torch.rand(1, 2, 17, 17)

    for conv, smoothed, raw in zip(tum.smooth, tum(x), plain(x), strict=False):
        torch.testing.assert_close(smoothed, conv(raw))


def test_depthwise_convolutions_are_followed_by_1x1_ones() -> None:
    config = {'channels': 6, 'out_channels': 5, 'num_scales': 3}
    tum = TUM(4, **config, use_depthwise=True)
    x = torch.rand(1, 4, 12, 12)
    maps = tum(x)

    # Without norm: weights and biases. Two encoder and two lateral convolutions of 4
    # and 6 channels, then what a plain TUM has too.
    pairs = [(4, 6), (4, 5), (6, 6), (6, 5)]
    separable = sum(10 * width + (width + 1) * out for width, out in pairs)
    plain = sum((9 * width + 1) * out for width, out in pairs)
    counts = [
        sum(parameter.numel() for parameter in net.parameters())
        for net in (tum, TUM(4, **config))
    ]
    assert counts[1] - counts[0] == plain - separable
    assert [tuple(y.shape) for y in maps] == [(1, 5, n, n) for n in (12, 6, 4)]
    first = tum.encoder[0]
    assert first.depthwise_conv.conv.groups == 4
    torch.testing.assert_close(
        first(x), first.pointwise_conv(first.depthwise_conv(x)), rtol=0, atol=0
    )


def test_one_scale_is_refused() -> None:
    with pytest.raises(ValueError, match='num_scales=1'):
        TUM(2, num_scales=1)
