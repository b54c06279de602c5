"""Each limit of place, size and shape, just within and just beyond; images 100 x 80."""

from collections.abc import Callable
from time import perf_counter

import pytest

from m2det_mmdet.datasets.checks.geometry import check_geometry

SOUND = [10, 10, 30, 20]


@pytest.mark.parametrize(
    ('box', 'kinds'),
    [
        (SOUND, []),
        ([10, 10, 1, 20], ['box-tiny', 'box-extreme']),
        ([10, 10, 0.9, 20], ['box-empty']),
        ([10, 10, 0, 20], ['box-empty']),
        ([10, 10, -5, 20], ['box-empty']),
        ([100, 10, 20, 20], ['box-outside']),
        ([10, -20, 20, 20], ['box-outside']),
        ([99, 10, 20, 20], ['box-across']),
        ([-1, 10, 20, 20], []),
        ([-1.1, 10, 20, 20], ['box-across']),
        ([10, 61, 20, 20], []),
        ([10, 61.5, 20, 20], ['box-across']),
        ([10, 10, 4, 20], []),
        ([10, 10, 3.9, 20], ['box-tiny']),
        ([0, 0, 100, 76], []),
        ([0, 0, 100, 77], ['box-huge']),
        ([10, 10, 60, 6], []),
        ([10, 10, 61, 6], ['box-extreme']),
    ],
)
def test_a_box_is_judged_by_its_limits(
    box: list[float], kinds: list[str], make_part: Callable, findings: Callable
) -> None:
    found = findings(check_geometry, {'train': make_part([[SOUND, box]])})

    assert [*found] == kinds
    sentence = f'The cat {box} of 1.jpg (train) is in an image of 100x80 pixels.'
    assert set(found.values()) <= {(1, sentence)}


def test_in_a_large_image_more_pixels_are_tiny(
    make_part: Callable, findings: Callable
) -> None:
    # 1/200 of 4000 pixels is 20 pixels, of 2000 it is 10.
    part = make_part([[[9, 9, 19, 50], [9, 9, 20, 50]]], size=(4000, 2000))

    assert findings(check_geometry, {'train': part})['box-tiny'][0] == 1


def test_a_crowd_may_have_any_size_and_shape(
    make_part: Callable, findings: Callable
) -> None:
    part = make_part([[[0, 0, 100, 80], [0, 0, 99, 2]]], iscrowd=1)

    assert findings(check_geometry, {'train': part}) == {}


@pytest.mark.parametrize(('size', 'count'), [((32, 32), 0), ((31, 90), 1)])
def test_images_are_counted_that_a_filter_leaves_out(
    size: tuple[int, int], count: int, make_part: Callable, findings: Callable
) -> None:
    part = make_part([[[2, 2, 20, 20]]], size=size)

    found = findings(check_geometry, {'val': part})

    sentence = 'The image 1.jpg (val) has 31x90 pixels.'
    assert found == ({'image-small': (count, sentence)} if count else {})


def test_all_faults_are_counted_and_few_are_shown(
    make_part: Callable, findings: Callable
) -> None:
    part = make_part([[[10, 10, 0, 20]] * 30_000, [SOUND] * 70_000])
    started = perf_counter()

    assert findings(check_geometry, {'train': part})['box-empty'][0] == 30_000
    assert perf_counter() - started < 10
