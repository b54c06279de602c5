import math

import pytest
import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from m2det_mmdet.models.necks import BiFPN
from m2det_mmdet.models.necks.bifpn import BiFPNCell, FusionNode

CHANNELS = (3, 4, 5)


def fill(module: nn.Module) -> nn.Module:
    """Give every number of ``module`` a value that nothing else has."""
    generator = torch.Generator().manual_seed(0)
    for name, x in (*module.named_parameters(), *module.named_buffers()):
        if x.is_floating_point():
            # Variances and most weights of inputs are positive.
            low = 0.2 if name.endswith(('running_var', 'weights')) else -1.0
            x.data.uniform_(low, 1.0, generator=generator)
    return module.double().eval()


def inputs(height: int = 16, width: int = 16, number: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    maps = []
    for channels in CHANNELS:
        size = (number, channels, height, width)
        maps.append(torch.randn(size, generator=generator, dtype=torch.float64))
        height, width = (height + 1) // 2, (width + 1) // 2
    return maps


def build(**config) -> BiFPN:  # noqa: ANN003
    return fill(BiFPN(CHANNELS, **{'out_channels': 2, 'num_stages': 2, **config}))


# A cell in plain loops over one image's maps, each a list [channel][row][column]. From
# here down to `reference_cell` nothing of the package computes.


def make(size: tuple[int, int, int], value) -> list:  # noqa: ANN001
    channels, height, width = size
    return [
        [[value(c, y, x) for x in range(width)] for y in range(height)]
        for c in range(channels)
    ]


def size_of(a: list) -> tuple[int, int, int]:
    return len(a), len(a[0]), len(a[0][0])


def swish(a: list) -> list:
    return make(size_of(a), lambda c, y, x: a[c][y][x] / (1 + math.exp(-a[c][y][x])))


def reference_node(node: FusionNode, maps: list, act_first: bool) -> list:
    values = {name: x.tolist() for name, x in node.state_dict().items()}
    first = 1 if act_first else 0
    depthwise = values[f'layers.{first}.weight']
    pointwise = values[f'layers.{first + 1}.conv.weight']
    bias = values[f'layers.{first + 1}.conv.bias']
    norm = {
        name.rsplit('.', 1)[1]: x
        for name, x in values.items()
        if name.startswith(f'layers.{first + 1}.bn')
    }
    positive = [max(w, 0) for w in values['weights']]
    shares = [w / (sum(positive) + 1e-4) for w in positive]
    size = channels, height, width = size_of(maps[0])

    def fuse(c: int, y: int, x: int) -> float:
        return sum(w * a[c][y][x] for w, a in zip(shares, maps, strict=True))

    fused = make(size, fuse)
    if act_first:
        fused = swish(fused)

    def convolve(c: int, y: int, x: int) -> float:
        return sum(
            depthwise[c][0][dy + 1][dx + 1] * fused[c][y + dy][x + dx]
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if 0 <= y + dy < height and 0 <= x + dx < width
        )

    spatial = make(size, convolve)

    def mix(c: int, y: int, x: int) -> float:
        z = bias[c] + sum(
            pointwise[c][k][0][0] * spatial[k][y][x] for k in range(channels)
        )
        z = (z - norm['running_mean'][c]) / math.sqrt(norm['running_var'][c] + 1e-3)
        return z * norm['weight'][c] + norm['bias'][c]

    mixed = make(size, mix)
    return mixed if act_first else swish(mixed)


def reference_pool(a: list, zero_padding: bool) -> list:
    channels, height, width = size_of(a)

    def window(n: int, length: int) -> list[int]:
        start = 2 * n - length % 2
        return [start, start + 1, start + 2]

    def largest(c: int, y: int, x: int) -> float:
        found = []
        for row in window(y, height):
            for column in window(x, width):
                inside = 0 <= row < height and 0 <= column < width
                if inside:
                    found.append(a[c][row][column])
                elif zero_padding:
                    found.append(0.0)
        return max(found)

    return make((channels, (height + 1) // 2, (width + 1) // 2), largest)


def reference_double(a: list, like: list) -> list:
    return make(size_of(like), lambda c, y, x: a[c][y // 2][x // 2])


def reference_cell(
    cell: BiFPNCell, maps: list, again: list, act_first: bool, zero_padding: bool
) -> list:
    def node(module: FusionNode, *a: list) -> list:
        return reference_node(module, a, act_first)

    p3, p4, p5, p6, p7 = maps
    p4_again, p5_again, p6_again, p7_again = again
    td6 = node(cell.top_down[0], p6, reference_double(p7, p6))
    td5 = node(cell.top_down[1], p5, reference_double(td6, p5))
    td4 = node(cell.top_down[2], p4, reference_double(td5, p4))
    out3 = node(cell.top_down[3], p3, reference_double(td4, p3))
    out4 = node(cell.bottom_up[0], p4_again, td4, reference_pool(out3, zero_padding))
    out5 = node(cell.bottom_up[1], p5_again, td5, reference_pool(out4, zero_padding))
    out6 = node(cell.bottom_up[2], p6_again, td6, reference_pool(out5, zero_padding))
    out7 = node(cell.bottom_up[3], p7_again, reference_pool(out6, zero_padding))
    return [out3, out4, out5, out6, out7]


@pytest.mark.parametrize('zero_padding', [False, True])
@pytest.mark.parametrize('act_first', [False, True])
@pytest.mark.parametrize('size', [(16, 32), (19, 22)])
def test_two_cells_equal_plain_loops(
    size: tuple[int, int], act_first: bool, zero_padding: bool
) -> None:
    neck = build(act_first=act_first, zero_padding=zero_padding)
    options = {'act_first': act_first, 'zero_padding': zero_padding}
    # An input that counts nothing.
    neck.cells[1].bottom_up[1].weights.data[1] = -0.5
    x = inputs(*size, number=1)

    def project(convs: nn.ModuleList, maps: list[Tensor]) -> list[list]:
        return [conv(y)[0].tolist() for conv, y in zip(convs, maps, strict=True)]

    p6 = reference_pool(neck.extra(x[2])[0].tolist(), zero_padding)
    p7 = reference_pool(p6, zero_padding)
    maps = [*project(neck.laterals, x), p6, p7]
    again = [*project(neck.bottom_up_laterals, x[1:]), p6, p7]
    maps = reference_cell(neck.cells[0], maps, again, **options)
    maps = reference_cell(neck.cells[1], maps, maps[1:], **options)

    for found, expected in zip(neck(x), maps, strict=True):
        torch.testing.assert_close(found[0].tolist(), expected)


@pytest.mark.parametrize(
    ('side', 'zero_padding', 'expected'),
    [
        # Windows 0-2 and 2-4, of which cell 4 does not exist.
        ([-8, -7, -6, -5], False, [-6, -5]),
        ([-8, -7, -6, -5], True, [-6, 0]),
        # Windows -1-1, 1-3, 3-5.
        ([-9, -8, -7, -6, -5], False, [-8, -6, -5]),
        ([-9, -8, -7, -6, -5], True, [0, -6, 0]),
        # A backbone that rounds down: windows 0-2 and 2-4.
        ([-9, -8, -7, -6, -5], None, [-7, -5]),
        ([-3], False, [-3]),
    ],
)
def test_pooling_fits_the_coarser_map(
    side: list[int], zero_padding: bool | None, expected: list[int]
) -> None:
    cell = BiFPNCell(1, 2, zero_padding=bool(zero_padding))
    for node in (*cell.top_down, *cell.bottom_up):
        node.layers = nn.Identity()
        node.epsilon = 0.0
    cell.top_down[0].weights.data = torch.tensor([1.0, 0.0])
    cell.bottom_up[0].weights.data = torch.tensor([0.0, 1.0])
    # The same along either axis.
    fine = torch.maximum(torch.tensor(side)[:, None], torch.tensor(side))
    fine = fine[None, None].float()
    coarse = torch.zeros(1, 1, len(expected), len(expected))

    maps = cell([fine, coarse], [coarse])

    assert maps[1][0, 0].diagonal().tolist() == expected
    assert maps[1].shape == coarse.shape


@pytest.mark.parametrize(
    ('size', 'num_outs', 'sizes'),
    [
        # P3 to P7 of 800x1344 pixels.
        ((100, 168), 5, [(100, 168), (50, 84), (25, 42), (13, 21), (7, 11)]),
        ((40, 40), 6, [(40, 40), (20, 20), (10, 10), (5, 5), (3, 3), (2, 2)]),
        ((5, 17), 3, [(5, 17), (3, 9), (2, 5)]),
        ((4, 16), 5, [(4, 16), (2, 8), (1, 4), (1, 2), (1, 1)]),
    ],
)
def test_maps_of_any_size_are_taken(
    size: tuple[int, int], num_outs: int, sizes: list[tuple[int, int]]
) -> None:
    neck = build(num_outs=num_outs)
    maps = neck(inputs(*size))

    assert [tuple(x.shape) for x in maps] == [(2, 2, *size) for size in sizes]
    assert (neck.out_channels, neck.num_outs) == (2, num_outs)


def test_maps_that_round_down_are_taken() -> None:
    x = [torch.rand(1, c, n, n).double() for c, n in ((3, 19), (4, 9), (5, 4))]

    assert [y.shape[-1] for y in build()(x)] == [19, 9, 4, 2, 1]


def test_outputs_and_inputs_stay_the_same() -> None:
    neck, x = build(), inputs()
    before = [y.clone() for y in x]
    first, second = neck(x), neck(x)

    for a, b in zip((*first, *x), (*second, *before), strict=True):
        assert torch.equal(a, b)


def test_weights_never_count_less_than_nothing() -> None:
    node = FusionNode(1, 3)
    node.weights.data = torch.tensor([-5.0, 3.0, 1.0])
    torch.testing.assert_close(node.shares(), torch.tensor([0, 3, 1]) / 4.0001)

    node.weights.data = torch.tensor([-5.0, -3.0, -1.0])
    assert node.shares().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ('fusion', 'expected'),
    # Weights 0, ln 2, ln 5.
    [('softmax', (1 + 2 * 10 + 5 * 100) / 8), ('sum', 111.0)],
)
def test_other_fusions(fusion: str, expected: float) -> None:
    node = FusionNode(1, 3, fusion=fusion)
    node.layers = nn.Identity()
    if fusion == 'softmax':
        node.weights.data = torch.tensor([1.0, 2.0, 5.0]).log()
    else:
        assert list(node.parameters()) == []

    fused = node(*(torch.full((1, 1, 1, 1), x) for x in (1.0, 10.0, 100.0)))

    assert fused.item() == pytest.approx(expected)


@pytest.mark.parametrize('num_outs', [3, 5])
@pytest.mark.parametrize('fusion', ['fast', 'softmax', 'sum'])
def test_gradient_reaches_every_parameter(fusion: str, num_outs: int) -> None:
    # In evaluation, as batch norm in training takes away what a bias adds.
    neck = build(fusion=fusion, num_outs=num_outs)
    sum((x * torch.rand_like(x)).sum() for x in neck(inputs())).backward()

    assert [n for n, p in neck.named_parameters() if not p.grad.any()] == []


def test_the_default_norm_is_that_of_the_release() -> None:
    neck = BiFPN(CHANNELS, out_channels=2)
    norms = [m for m in neck.modules() if isinstance(m, nn.BatchNorm2d)]

    # Six projections of the inputs, eight nodes in each of three cells.
    assert [(m.eps, m.momentum) for m in norms] == [(1e-3, 0.01)] * (6 + 3 * 8)


def test_the_detector_takes_the_channels_of_its_head_from_the_neck() -> None:
    detector = MODELS.build(
        {
            'type': 'M2Det',
            'backbone': {'type': 'ResNet', 'depth': 18, 'out_indices': (1, 2, 3)},
            'neck': {'type': 'BiFPN', 'in_channels': (128, 256, 512)},
            'bbox_head': {
                'type': 'M2DetHead',
                'num_classes': 2,
                'anchor_generator': {
                    'type': 'SSDAnchorGenerator',
                    'strides': [8, 16, 32, 64, 128],
                    'ratios': [[2]] * 5,
                    'min_sizes': [20, 50, 100, 150, 200],
                    'max_sizes': [50, 100, 150, 200, 250],
                    'input_size': 320,
                },
            },
        }
    )

    assert list(detector.bbox_head.in_channels) == [64] * 5


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'num_outs': 2}, r'num_outs=2 for 3 inputs \(in_channels=\[3, 4, 5\]\)'),
        ({'num_stages': 0}, 'num_stages >= 1, got 0'),
        ({'fusion': 'max'}, r"one of \('fast', 'softmax', 'sum'\), got 'max'"),
    ],
)
def test_arguments_that_cannot_be_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**change)


@pytest.mark.parametrize('in_channels', [(), (4,)])
def test_a_pyramid_has_two_levels_or_more(in_channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f'num_outs=1 for {len(in_channels)} inputs'):
        BiFPN(in_channels, num_outs=1)


def test_one_input_makes_a_pyramid() -> None:
    maps = BiFPN((3,), out_channels=2, num_outs=3).eval()([torch.rand(1, 3, 8, 8)])

    assert [x.shape[-1] for x in maps] == [8, 4, 2]


def test_maps_that_do_not_fit_are_named() -> None:
    neck = build()
    x = inputs()
    with pytest.raises(ValueError, match=r'3 maps of \[3, 4, 5\] .* got 2 of \[3, 4\]'):
        neck(x[:2])
    with pytest.raises(ValueError, match=r'\[3, 4, 5\] .* got 3 of \[5, 4, 3\]'):
        neck(x[::-1])
    x[2] = torch.rand(2, 5, 4, 2)
    with pytest.raises(ValueError, match='got 8x8 and then 4x2'):
        neck(x)


def test_an_input_without_cells_for_all_levels_is_named() -> None:
    message = (
        '8x8 cells is too small for num_outs=7: after map 3 of one cell .*num_outs=4'
    )
    with pytest.raises(ValueError, match=message):
        build(num_outs=7)(inputs(8, 8))


def test_one_image_cannot_train_batch_norm_on_one_cell() -> None:
    neck = build().train()
    assert neck(inputs(16, 17, number=1))[-1].shape[-2:] == (1, 2)
    assert neck(inputs())[-1].shape[-2:] == (1, 1)
    one = inputs(number=1)
    with pytest.raises(ValueError, match='one image cannot train batch norm'):
        neck(one)

    assert len(neck.eval()(one)) == 5
    without = BiFPN(CHANNELS, out_channels=2, norm_cfg=None).double().train()
    assert len(without(one)) == 5
