import pytest
import torch
from mmdet.models.task_modules import AnchorGenerator, SSDAnchorGenerator
from torch import Tensor

from m2det_mmdet.models.task_modules import M2DetAnchorGenerator
from m2det_mmdet.models.task_modules.priors import grid_priors, valid_flags


def generate(
    generator: object, sizes: list[tuple[int, int]], image: tuple[int, int]
) -> list[Tensor]:
    return grid_priors(generator, sizes, image, torch.float64, 'cpu')


@pytest.mark.parametrize('use_box_type', [False, True])
def test_a_generator_of_mmdet_needs_no_image(use_box_type: bool) -> None:
    generator = AnchorGenerator(
        strides=[(4, 8)],
        ratios=[1.0],
        scales=[1.0],
        base_sizes=[4],
        center_offset=0.5,
        use_box_type=use_box_type,
    )
    # Two columns 4 pixels and three rows 8 pixels apart; the last row is partly padded.
    (priors,) = generate(generator, [(3, 2)], (20, 8))

    assert type(priors) is Tensor
    assert priors.dtype == torch.float64
    assert priors.tolist() == [[x, y, x + 4, y + 4] for y in (0, 8, 16) for x in (0, 4)]


def test_the_generator_of_this_package_follows_the_maps() -> None:
    generator = M2DetAnchorGenerator(16, [0.25, 0.5], steps=[8], ratios=[])
    (at_16,) = generate(generator, [(2, 2)], (16, 16))
    (at_32,) = generate(generator, [(2, 2)], (32, 32))

    assert at_16[0].tolist() == [2, 2, 6, 6]
    assert at_32[0].tolist() == [6, 6, 10, 10]


def test_a_stride_that_does_not_fit_its_map_is_named() -> None:
    generator = AnchorGenerator(strides=[8, (16, 32)], ratios=[1.0], scales=[1.0])

    # Rounded up or down, as convolutions with and without padding do.
    for rows in (1, 2):
        generate(generator, [(6, 8), (rows, 4)], (47, 64))
    message = (
        'stride of 32x16 pixels at scale 1, whose map has 1x3 cells for an input of '
        '47x64 pixels: make anchor_generator.strides those of the neck'
    )
    with pytest.raises(ValueError, match=message):
        generate(generator, [(6, 8), (1, 3)], (47, 64))


def test_the_strides_of_ssd300_are_those_of_its_size_alone() -> None:
    generator = SSDAnchorGenerator([8, 16, 32, 64, 100, 300], [[2]] * 6)
    maps = [(n, n) for n in (38, 19, 10, 5, 3, 1)]

    assert sum(map(len, generate(generator, maps, (300, 300)))) == 1940 * 4
    # 400 pixels make 5 cells where 4 strides are.
    maps = [(n, n) for n in (50, 25, 13, 7, 5, 3)]
    with pytest.raises(ValueError, match='100x100 pixels at scale 4, whose map has'):
        generate(generator, maps, (400, 400))


def test_cells_that_hold_padding_alone_take_no_part() -> None:
    # 40x24 pixels in a batch of 64x64: rows of 16 pixels begin at 0, 16, 32 and 48.
    fine, coarse = valid_flags([(4, 4), (1, 1)], [1, 2], (40, 24), (64, 64), 'cpu')

    row = [True, True, False, False]
    assert fine.view(4, 4).tolist() == [row, row, row, [False] * 4]
    assert coarse.tolist() == [True, True]


def test_a_cell_that_begins_where_the_image_ends_takes_no_part() -> None:
    (flags,) = valid_flags([(4, 4)], [1], (32, 16), (64, 64), 'cpu')

    row = [True, False, False, False]
    assert flags.view(4, 4).tolist() == [row, row, [False] * 4, [False] * 4]


def test_all_anchors_of_an_image_without_padding_take_part() -> None:
    # The last row of SSD300's third scale has its centres at 304 pixels.
    flags = valid_flags([(10, 10)], [6], (300, 300), (300, 300), 'cpu')
    assert flags[0].tolist() == [True] * 600
