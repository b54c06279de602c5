import pytest
import torch
from mmdet.models.necks import FPN
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from m2det_mmdet.models.necks import AugFPN
from m2det_mmdet.models.necks.augfpn import ResidualFeatureAugmentation

RESNET50 = (256, 512, 1024, 2048)
TWO_STAGE = {'in_channels': RESNET50, 'out_channels': 256, 'num_outs': 5}
RETINANET = {**TWO_STAGE, 'start_level': 1, 'add_extra_convs': 'on_input'}
NARROW = {'in_channels': (2, 3, 4), 'out_channels': 5, 'num_outs': 5}


def inputs(height: int, width: int, channels: tuple[int, ...]) -> list[Tensor]:
    """Maps of a backbone from stride 4 on, of an image of the given pixels."""
    torch.manual_seed(0)
    sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(2, 6)]
    return [torch.rand(1, c, *size) for c, size in zip(channels, sizes, strict=False)]


def build(**config) -> AugFPN:  # noqa: ANN003
    torch.manual_seed(1)
    neck = AugFPN(**{**NARROW, **config})
    neck.init_weights()
    return neck


@pytest.mark.parametrize(
    ('config', 'parameters', 'large', 'small'),
    [
        (TWO_STAGE, 5_121_795, 122.364, 46.621),
        (RETINANET, 9_774_851, 36.951, None),
        # FCOS: P6 is made of P5, whose channels are 256 instead of 2048.
        ({**RETINANET, 'add_extra_convs': 'on_output'}, 5_646_083, None, None),
    ],
)
def test_size_and_cost_on_resnet50(
    config: dict, parameters: int, large: float | None, small: float | None
) -> None:
    with torch.device('meta'):
        neck = AugFPN(**config)

    assert sum(p.numel() for p in neck.parameters()) == parameters
    for (height, width), expected in {(800, 1344): large, (640, 640): small}.items():
        maps = [x.to('meta') for x in inputs(height, width, RESNET50)]
        with FlopCounterMode(display=False) as counter:
            neck(maps)
        if expected:
            assert round(counter.get_total_flops() / 1e9, 3) == expected


@pytest.mark.parametrize(
    ('size', 'pooled'),
    [
        ((25, 42), [(2, 4), (5, 8), (7, 12)]),
        ((20, 20), [(2, 2), (4, 4), (6, 6)]),
        # No map vanishes.
        ((3, 11), [(1, 1), (1, 2), (1, 3)]),
    ],
)
def test_context_is_pooled_to_fractions_of_the_map(
    size: tuple[int, int], pooled: list[tuple[int, int]]
) -> None:
    augmentation = ResidualFeatureAugmentation(2, 3)
    seen = []
    for conv in augmentation.reduce:
        conv.register_forward_hook(lambda _, x, __: seen.append(tuple(x[0].shape[2:])))
    context = augmentation(torch.rand(1, 2, *size))

    assert augmentation.pooled_sizes(size) == pooled
    assert seen == pooled
    assert context.shape == (1, 3, *size)


def pooling_matrix(cells: int, bins: int) -> Tensor:
    """Means over bins that begin and end at whole cells, ``(bins, cells)``."""
    matrix = torch.zeros(bins, cells)
    for i in range(bins):
        start, stop = i * cells // bins, -(-(i + 1) * cells // bins)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def enlarging_matrix(bins: int, cells: int) -> Tensor:
    """Linear interpolation that keeps the first and last cell, ``(cells, bins)``."""
    matrix = torch.zeros(cells, bins)
    for i in range(cells):
        position = i * (bins - 1) / (cells - 1)
        low = min(int(position), max(0, bins - 2))
        matrix[i, low] = 1 - (position - low)
        if bins > 1:
            matrix[i, low + 1] = position - low
    return matrix


def plain_context(augmentation: ResidualFeatureAugmentation, x: Tensor) -> Tensor:
    """The context of a map ``(C, H, W)`` by matrix products alone."""
    _, height, width = x.shape
    maps = []
    for ratio, conv in zip(augmentation.pool_ratios, augmentation.reduce, strict=True):
        rows, columns = max(1, int(height * ratio)), max(1, int(width * ratio))
        pooled = pooling_matrix(height, rows) @ x @ pooling_matrix(width, columns).T
        reduced = torch.einsum('oi,ihw->ohw', conv.weight[:, :, 0, 0], pooled)
        reduced = reduced + conv.bias[:, None, None]
        maps.append(
            enlarging_matrix(rows, height)
            @ reduced
            @ enlarging_matrix(columns, width).T
        )
    reduce, _, weigh, _ = augmentation.fusion.weigh
    hidden = torch.einsum('oi,ihw->ohw', reduce.weight[:, :, 0, 0], torch.cat(maps))
    hidden = F.pad((hidden + reduce.bias[:, None, None]).clamp(min=0), (1, 1, 1, 1))
    weights = sum(
        torch.einsum(
            'oi,ihw->ohw',
            weigh.weight[:, :, row, column],
            hidden[:, row : row + height, column : column + width],
        )
        for row in range(3)
        for column in range(3)
    )
    weights = 1 / (1 + (-weights - weigh.bias[:, None, None]).exp())
    return sum(weight * x for weight, x in zip(weights, maps, strict=True))


@pytest.mark.parametrize('size', [(10, 20), (7, 13)])
def test_the_context_is_that_of_matrix_products(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    augmentation = ResidualFeatureAugmentation(2, 3)
    x = torch.randn(2, 2, *size)

    expected = torch.stack([plain_context(augmentation, image) for image in x])
    torch.testing.assert_close(augmentation(x), expected)


@pytest.mark.parametrize('extra', [False, 'on_input', 'on_lateral', 'on_output'])
@pytest.mark.parametrize('relu', [False, True])
@pytest.mark.parametrize(
    'upsample', [{'mode': 'nearest'}, {'mode': 'bilinear', 'align_corners': False}]
)
def test_without_context_it_is_the_fpn_whose_weights_it_loads(
    extra: bool | str, relu: bool, upsample: dict
) -> None:
    config = {
        'add_extra_convs': extra,
        'relu_before_extra_convs': relu,
        'upsample_cfg': upsample,
    }
    neck = build(start_level=1, num_outs=4, **config)
    fpn = FPN([2, 3, 4], 5, 4, start_level=1, **config)
    fpn.load_state_dict(neck.state_dict(), strict=False)
    for conv in neck.augmentation.reduce:
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    maps = inputs(64, 80, (2, 3, 4))

    for ours, theirs in zip(neck(maps), fpn(maps), strict=True):
        torch.testing.assert_close(ours, theirs)
    missing, unexpected = neck.load_state_dict(fpn.state_dict(), strict=False)
    assert unexpected == []
    assert {name.partition('.')[0] for name in missing} == {'augmentation'}


def test_context_reaches_each_map_by_the_top_down_path() -> None:
    neck = build(num_outs=3)
    maps = inputs(64, 64, (2, 3, 4))
    context = neck.augmentation(maps[-1])
    raw = [conv(x) for conv, x in zip(neck.lateral_convs, maps, strict=True)]
    sums = [raw[2] + context]
    for x in (raw[1], raw[0]):
        sums.append(x + sums[-1].repeat_interleave(2, 2).repeat_interleave(2, 3))

    for conv, x, out in zip(neck.fpn_convs, reversed(sums), neck(maps), strict=True):
        torch.testing.assert_close(out, conv(x))


def test_the_context_is_that_of_the_last_map_in_use() -> None:
    neck = build(end_level=1, num_outs=2)
    maps = inputs(64, 64, (2, 3, 4))
    outs = neck(maps)
    merged = neck.lateral_convs[1](maps[1]) + neck.augmentation(maps[1])

    assert [tuple(x.shape[2:]) for x in outs] == [(16, 16), (8, 8)]
    torch.testing.assert_close(outs[1], neck.fpn_convs[1](merged))


def test_an_extra_map_of_the_coarsest_lateral_has_its_context() -> None:
    neck = build(add_extra_convs='on_lateral')
    maps = inputs(64, 64, (2, 3, 4))
    merged = neck.lateral_convs[-1](maps[-1]) + neck.augmentation(maps[-1])

    torch.testing.assert_close(neck(maps)[3], neck.fpn_convs[3](merged))


def test_laterals_are_those_before_the_context() -> None:
    neck = build(start_level=1)
    maps = inputs(64, 64, (2, 3, 4))
    before, laterals = neck.forward_with_laterals(maps)
    torch.nn.init.ones_(neck.augmentation.reduce[0].bias)
    after, unchanged = neck.forward_with_laterals(maps)

    assert len(laterals) == 2
    for x, y, conv, z in zip(
        laterals, unchanged, neck.lateral_convs, maps[1:], strict=True
    ):
        assert torch.equal(x, y)
        torch.testing.assert_close(x, conv(z))
    assert not any(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    for x, y in zip(neck(maps), after, strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize('source', ['on_input', 'on_output'])
def test_the_mean_of_the_context_is_added_to_the_first_extra_map(source: str) -> None:
    config = {'add_extra_convs': source, 'relu_before_extra_convs': True}
    plain, augmented = build(**config), build(augment_extra=True, **config)
    maps = inputs(64, 64, (2, 3, 4))
    before, after = plain(maps), augmented(maps)
    mean = plain.augmentation(maps[-1]).mean(dim=(2, 3), keepdim=True)

    for x, y in zip(before[:3], after[:3], strict=True):
        assert torch.equal(x, y)
    torch.testing.assert_close(after[3], before[3] + mean)
    torch.testing.assert_close(after[4], plain.fpn_convs[4](F.relu(after[3])))


@pytest.mark.parametrize(
    ('height', 'width', 'sizes'),
    [
        (64, 64, [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]),
        (100, 37, [(25, 10), (13, 5), (7, 3), (4, 2), (2, 1)]),
        (4, 4, [(1, 1)] * 5),
    ],
)
@pytest.mark.parametrize('extra', [False, 'on_input'])
def test_any_size_of_image_does(
    height: int, width: int, sizes: list[tuple[int, int]], extra: bool | str
) -> None:
    outs = build(add_extra_convs=extra)(inputs(height, width, (2, 3, 4)))

    assert [tuple(x.shape) for x in outs] == [(1, 5, *size) for size in sizes]


def test_gradient_reaches_every_parameter_and_inputs_stay() -> None:
    neck = build(add_extra_convs='on_output', augment_extra=True)
    maps = inputs(96, 64, (2, 3, 4))
    copies = [x.clone() for x in maps]
    sum((x * torch.rand_like(x)).sum() for x in neck(maps)).backward()

    assert [n for n, p in neck.named_parameters() if not p.grad.any()] == []
    assert all(torch.equal(x, y) for x, y in zip(maps, copies, strict=True))


def test_inputs_that_do_not_fit_are_named() -> None:
    neck = build()
    maps = inputs(64, 64, (2, 3, 4))
    with pytest.raises(
        ValueError, match=r'3 maps of \[2, 3, 4\] channels and got 2 of \[2, 3\]'
    ):
        neck(maps[:2])
    with pytest.raises(ValueError, match=r'and got 3 of \[2, 3, 9\]'):
        neck([*maps[:2], torch.rand(1, 9, 4, 4)])


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({'num_outs': 2}, r'num_outs is 2, but 3 maps'),
        (
            {'end_level': 1, 'num_outs': 4},
            r'num_outs is 4, .* end_level=1 leaves it out: set num_outs=2',
        ),
        ({'end_level': 2, 'num_outs': 2}, r'num_outs is 2, but 3 maps'),
        ({'start_level': 3}, r'start_level=3 and end_level=-1 must be .* the 3 maps'),
        ({'start_level': -1}, r'start_level=-1 and end_level=-1 must be'),
        ({'upsample_cfg': {'scale_factor': 2}}, r'remove scale_factor'),
        ({'augment_extra': True}, r'num_outs=5, add_extra_convs=False'),
        (
            {'augment_extra': True, 'num_outs': 3, 'add_extra_convs': True},
            r"num_outs=3, add_extra_convs='on_input'",
        ),
        ({'pool_ratios': ()}, r'above 0 and at most 1, got \(\)'),
        ({'pool_ratios': (0.1, 1.5)}, r'got \(0.1, 1.5\)'),
    ],
)
def test_what_cannot_be_built_is_named(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**config)
