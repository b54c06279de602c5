import math

import pytest
import torch
from mmdet.registry import TASK_UTILS
from torch import Tensor

from m2det_mmdet.models.task_modules import M2DetAnchorGenerator

MAPS_320 = [(n, n) for n in (40, 20, 10, 5, 3, 1)]
VGG_320 = {
    'input_size': 320,
    'sizes': [0.08, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
    'steps': [8, 16, 32, 64, 107, 320],
    'ratios': [2, 3],
}


def to_cxcywh(boxes: Tensor) -> Tensor:
    low, high = boxes[:, :2], boxes[:, 2:]
    return torch.cat([(low + high) / 2, high - low], dim=1)


def test_the_registry_builds_the_priors_of_vgg_320() -> None:
    generator = TASK_UTILS.build({'type': 'M2DetAnchorGenerator', **VGG_320})
    priors = generator.grid_priors(MAPS_320, device='cpu')

    assert generator.num_base_priors == [6] * 6
    assert sum(len(level) for level in priors) == 12_810


def test_a_cell_has_two_squares_then_each_ratio_and_its_transpose() -> None:
    generator = M2DetAnchorGenerator(100, [0.1, 0.4], ratios=[4])
    (priors,) = generator.grid_priors([(2, 2)], device='cpu')
    cell = to_cxcywh(priors[:4])

    # 10, sqrt(10 * 40) = 20, then 10 * sqrt(4) by 10 / sqrt(4) and its transpose.
    assert cell[:, 2:].tolist() == [[10, 10], [20, 20], [20, 5], [5, 20]]
    assert cell[:, :2].tolist() == [[25, 25]] * 4


def test_rows_come_before_columns() -> None:
    generator = M2DetAnchorGenerator(100, [0.1, 0.4], ratios=[4])
    (priors,) = generator.grid_priors([(2, 3)], device='cpu', image_size=(20, 30))
    centres = to_cxcywh(priors)[::4, :2].tolist()

    assert centres == [[5, 5], [15, 5], [25, 5], [5, 15], [15, 15], [25, 15]]


def test_another_image_size_moves_the_centres_and_keeps_the_pixel_sizes() -> None:
    generator = M2DetAnchorGenerator(**VGG_320)
    (*_, at_320) = generator.grid_priors(MAPS_320, device='cpu')
    maps = [(36, 60), (18, 30), (9, 15), (5, 8), (3, 4), (1, 2)]
    (*_, wide) = generator.grid_priors(maps, device='cpu', image_size=(288, 480))

    assert to_cxcywh(at_320)[0, :2].tolist() == [160, 160]
    torch.testing.assert_close(
        to_cxcywh(wide)[::6, :2], torch.tensor([[120.0, 144.0], [360.0, 144.0]])
    )
    torch.testing.assert_close(to_cxcywh(wide)[:6, 2:], to_cxcywh(at_320)[:, 2:])


def test_steps_follow_the_maps_where_none_are_given() -> None:
    given = M2DetAnchorGenerator(**VGG_320).grid_priors(MAPS_320, device='cpu')
    derived = M2DetAnchorGenerator(**{**VGG_320, 'steps': None})
    levels = derived.grid_priors(MAPS_320, device='cpu')

    for level in (0, 1, 2, 3, 5):
        torch.testing.assert_close(levels[level], given[level])
    # 320 / 3, where the release has 107.
    assert to_cxcywh(levels[4])[0, 0].item() == pytest.approx(320 / 6)
    assert to_cxcywh(given[4])[0, 0].item() == pytest.approx(53.5)


def test_steps_that_are_not_those_of_the_maps_are_named() -> None:
    generator = M2DetAnchorGenerator(320, [0.1, 0.2, 0.4], steps=[8, 32])
    message = (
        r'steps=\[8, 32\], but the maps of an image of 320x320 pixels have strides of '
        r'\[8\.0, 16\.0\]: give these, or steps=None'
    )
    with pytest.raises(ValueError, match=message):
        generator.grid_priors([(40, 40), (20, 20)], device='cpu')
    # The given steps do not hold for another size.
    generator.grid_priors([(50, 50), (25, 25)], device='cpu', image_size=(400, 400))


def test_fixed_steps_are_those_of_images_of_any_size() -> None:
    generator = M2DetAnchorGenerator(
        320, [0.1, 0.3, 0.4], steps=[64, 128], fixed_steps=True, ratios=[]
    )
    _, last = generator.grid_priors([(5, 5), (3, 3)], device='cpu')
    first, wide = generator.grid_priors(
        [(6, 8), (3, 4)], device='cpu', image_size=(352, 480)
    )

    # Without fixed_steps the last scale would have 320 / 3 and 480 / 4.
    assert to_cxcywh(last)[:6:2, 0].tolist() == [64, 192, 320]
    assert to_cxcywh(wide)[:8:2, 0].tolist() == [64, 192, 320, 448]
    assert to_cxcywh(wide)[::8, 1].tolist() == [64, 192, 320]
    assert to_cxcywh(first)[:16:2, 0].tolist() == [64 * n + 32 for n in range(8)]
    torch.testing.assert_close(to_cxcywh(wide)[:2, 2:], to_cxcywh(last)[:2, 2:])
    assert generator.step(1, (3, 4), (352, 480)) == (128, 128)


def test_fixed_steps_that_are_not_those_of_the_maps_are_named() -> None:
    generator = M2DetAnchorGenerator(320, [0.1, 0.2], steps=[8], fixed_steps=True)

    with pytest.raises(ValueError, match=r'image of 400x400 pixels have .* \[16\.0\]'):
        generator.grid_priors([(25, 25)], device='cpu', image_size=(400, 400))


def test_steps_may_be_rounded_as_those_of_ssd() -> None:
    steps = [8, 16, 32, 64, 100, 300]
    generator = M2DetAnchorGenerator(300, [0.1 * n for n in range(1, 8)], steps=steps)
    # Of which the exact strides are 7.9, 15.8, 30, 60, 100 and 300.
    maps = [(n, n) for n in (38, 19, 10, 5, 3, 1)]
    *_, third, _, _, _ = generator.grid_priors(maps, device='cpu')

    assert to_cxcywh(third)[0, :2].tolist() == [16, 16]


def test_clip_cuts_width_and_height_to_the_image() -> None:
    generator = M2DetAnchorGenerator(
        100, [0.9, 1.0], steps=[100], ratios=[4], clip=True
    )
    (priors,) = generator.grid_priors([(1, 1)], device='cpu')

    # 90 * 2 = 180 by 45 becomes 100 by 45.
    assert to_cxcywh(priors)[2].tolist() == [50, 50, 100, 45]


def test_half_precision_is_only_the_last_rounding() -> None:
    generator = M2DetAnchorGenerator(800, [0.04, 0.15], steps=[8])
    (full,) = generator.grid_priors([(100, 100)], device='cpu')
    (half,) = generator.grid_priors([(100, 100)], torch.half, device='cpu')

    assert torch.equal(half, full.half())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'steps': [8, 16]}, '6 scales.*got 2'),
        ({'ratios': [[2]] * 5}, '7 sizes and 5 sequences'),
        ({'sizes': [0.1]}, '1 sizes'),
        ({'steps': None, 'fixed_steps': True}, 'fixed_steps=True needs steps'),
    ],
)
def test_lengths_that_do_not_fit_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        M2DetAnchorGenerator(**{**VGG_320, **change})


def test_a_wrong_number_of_maps_is_named() -> None:
    generator = M2DetAnchorGenerator(**VGG_320)
    with pytest.raises(ValueError, match='6 scales and got 5'):
        generator.grid_priors(MAPS_320[:5], device='cpu')


def test_ratios_may_differ_by_scale() -> None:
    generator = M2DetAnchorGenerator(100, [0.1, 0.2, 0.4], ratios=[[2], [2, 3]])
    assert generator.num_base_priors == [4, 6]
    second = generator.grid_priors([(1, 1), (1, 1)], device='cpu')[1]
    assert to_cxcywh(second)[4, 2].item() == pytest.approx(20 * math.sqrt(3))


def test_without_ratios_a_cell_has_two_squares() -> None:
    generator = M2DetAnchorGenerator(100, [0.1, 0.4, 0.4], ratios=[])
    first, _ = generator.grid_priors([(1, 1), (1, 1)], device='cpu')

    assert to_cxcywh(first)[:, 2:].tolist() == [[10, 10], [20, 20]]
