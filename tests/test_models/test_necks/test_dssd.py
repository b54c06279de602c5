import pytest
import torch
from mmdet.models.necks import SSDNeck
from torch import Tensor, nn

from m2det_mmdet.models.necks import DSSDNeck
from m2det_mmdet.models.necks.dssd import DeconvolutionModule

# The steps of SSD at 320 pixels: 40 20 10 5 3 1 cells.
SSD = {
    'in_channels': (2, 4),
    'out_channels': (2, 4, 4, 2, 2, 2),
    'level_strides': (2, 2, 1, 1),
    'level_paddings': (1, 1, 0, 0),
    # ReLU may silence maps of two channels.
    'act_cfg': {'type': 'ELU'},
}


def inputs(cells: int = 40) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.rand(2, 2, cells, cells), torch.rand(2, 4, cells // 2, cells // 2)


def build(**config) -> DSSDNeck:  # noqa: ANN003
    torch.manual_seed(1)
    neck = DSSDNeck(**SSD, deconv_channels=3, **config)
    neck.init_weights()
    return neck


@pytest.mark.parametrize(
    ('cells', 'sizes'),
    [
        (40, [40, 20, 10, 5, 3, 1]),
        (36, [36, 18, 9, 5, 3, 1]),
        (52, [52, 26, 13, 7, 5, 3]),
        (60, [60, 30, 15, 8, 6, 4]),
    ],
)
def test_maps_keep_the_sizes_of_ssd(cells: int, sizes: list[int]) -> None:
    neck = build()
    maps = neck(inputs(cells))

    assert [tuple(x.shape[2:]) for x in maps] == [(n, n) for n in sizes]
    assert neck.out_channels == [3, 3, 3, 3, 3, 2]
    assert [x.shape[1] for x in maps] == neck.out_channels


def test_the_coarsest_map_is_that_of_ssd_and_every_other_one_is_refined() -> None:
    neck = build().eval()
    plain = SSDNeck(**SSD)
    plain.load_state_dict(neck.state_dict(), strict=False)
    maps, raw = neck(inputs()), plain(inputs())

    torch.testing.assert_close(maps[-1], raw[-1])
    for index, module in enumerate(neck.deconvolutions):
        torch.testing.assert_close(maps[index], module(raw[index], maps[index + 1]))


def test_the_parameters_are_those_of_figure_3() -> None:
    with torch.device('meta'):
        neck = DSSDNeck(
            in_channels=(512, 1024),
            out_channels=(512, 1024, 512, 256, 256, 256),
            level_strides=(2, 2, 1, 1),
            level_paddings=(1, 1, 0, 0),
        )
    count = sum(p.numel() for p in neck.deconvolutions.parameters())
    # Three 2x2 kernels of stride 2, two 3x3 that undo unpadded convolutions, the last
    # from 256 channels; their biases.
    deconvolutions = 512 * 512 * (4 * 3 + 9) + 256 * 512 * 9 + 5 * 512
    # Two 3x3 a module from 512 channels, and the first lateral; three norms.
    convolutions = 9 * 512 * (5 * 2 * 512 + 512 + 1024 + 512 + 256 + 256)
    assert count == deconvolutions + convolutions + 5 * 3 * 2 * 512


def copying(**config) -> DeconvolutionModule:  # noqa: ANN003
    """A module of one channel whose convolutions copy and deconvolution spreads."""
    module = DeconvolutionModule(1, 1, 1, **config)
    for conv in (module.refine.conv, *(layer.conv for layer in module.lateral)):
        nn.init.dirac_(conv.weight)
        nn.init.zeros_(conv.bias)
    nn.init.ones_(module.deconv.weight)
    nn.init.zeros_(module.deconv.bias)
    return module


@pytest.mark.parametrize(('merge', 'expected'), [('product', 10), ('sum', 7)])
def test_both_sides_are_joined_and_then_activated(merge: str, expected: int) -> None:
    module = copying(merge=merge)
    fine = torch.tensor([[[[5.0, 5.0, 5.0, 5.0]] * 2]])
    out = module(fine, torch.tensor([[[[2.0, -9.0]]]]))

    assert out[0, 0].tolist() == [[expected, expected, 0, 0]] * 2


@pytest.mark.parametrize(
    ('kernel_size', 'stride', 'coarse', 'expected'),
    [
        # One cell fills three.
        (3, 1, [7], [7, 7, 7]),
        # Each of three cells reaches the three of which an unpadded kernel made it.
        (3, 1, [1, 10, 100], [1, 11, 111, 110, 100]),
        (3, 1, [1, 10, 100], [11, 111, 110]),
        (3, 2, [1, 10, 100], [1, 11, 10, 110, 100]),
        # The padding cuts the first of six.
        (2, 2, [1, 10, 100], [1, 10, 10, 100, 100]),
        (2, 2, [1, 10], [1, 1, 10, 10]),
    ],
)
def test_the_deconvolution_reaches_the_fine_grid(
    kernel_size: int, stride: int, coarse: list[int], expected: list[int]
) -> None:
    module = copying(kernel_size=kernel_size, stride=stride)
    side = len(expected)
    x = torch.zeros(1, 1, len(coarse), len(coarse))
    x[0, 0, len(coarse) // 2] = torch.tensor(coarse)

    enlarged = module(torch.ones(1, 1, side, side), x)[0, 0]

    # The only row that is not zero reaches some rows, always with the same values.
    reached = enlarged[enlarged.any(dim=1)].unique(dim=0)
    assert reached.tolist() == [expected]


@pytest.mark.parametrize(
    ('kernel_size', 'stride', 'fine', 'coarse'),
    [(2, 2, 3, 1), (2, 2, 4, 3), (3, 1, 6, 3), (3, 1, 4, 3), (3, 2, 8, 3)],
)
def test_a_size_out_of_reach_is_named(
    kernel_size: int, stride: int, fine: int, coarse: int
) -> None:
    module = copying(kernel_size=kernel_size, stride=stride)
    # Along the other axis each of them makes four cells of two.
    size = f'{coarse}x2 cells into one of {fine}x4'
    with pytest.raises(ValueError, match=f'stride {stride} cannot turn .* {size}'):
        module(torch.ones(1, 1, fine, 4), torch.ones(1, 1, coarse, 2))


@pytest.mark.parametrize('merge', ['product', 'sum'])
def test_gradient_reaches_every_parameter(merge: str) -> None:
    neck = build(merge=merge)
    sum((x * torch.rand_like(x)).sum() for x in neck(inputs())).backward()

    assert [n for n, p in neck.named_parameters() if not p.grad.any()] == []


def test_an_unknown_merge_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of \('product', 'sum'\), got 'max'"):
        build(merge='max')
