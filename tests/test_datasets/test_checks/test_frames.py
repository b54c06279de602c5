"""Boxes in 0..1 and boxes as corners are told from others."""

from collections.abc import Callable

import numpy as np

from m2det_mmdet.datasets.checks.frames import check_frames
from m2det_mmdet.datasets.checks.geometry import check_geometry


def _xywh(number: int) -> np.ndarray:
    """Boxes anywhere within an image of 100 x 80 pixels."""
    random = np.random.default_rng(0)
    extent = random.uniform(8, 60, (number, 2))
    return np.hstack((random.random((number, 2)) * ((100, 80) - extent), extent))


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.hstack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))


def test_boxes_within_the_image_have_no_other_frame(
    make_part: Callable, findings: Callable
) -> None:
    assert findings(check_frames, {'train': make_part([_xywh(200).tolist()])}) == {}
    # Corners, as these may be, are also sound boxes.
    large = [[2, 3, 90, 70]] * 20
    assert findings(check_frames, {'train': make_part([large])}) == {}


def test_corners_are_told_by_split(make_part: Callable, findings: Callable) -> None:
    boxes = _xywh(50)
    parts = {
        'train': make_part([_corners(boxes).round(1).tolist()]),
        'val': make_part([boxes.tolist()]),
    }

    found = findings(check_frames, parts)

    x1, y1, x2, y2 = _corners(boxes).round(1)[0]
    sentence = f'The cat [{x1}, {y1}, {x2}, {y2}] of 1.jpg (train) fits the image as'
    assert found == {'boxes-as-corners': (50, f'{sentence} two corners.')}
    # The cause alone is reported, not each box across the border.
    assert findings(check_geometry, parts) == {}


def test_a_few_boxes_across_the_border_are_no_corners(
    make_part: Callable, findings: Callable
) -> None:
    boxes = _xywh(50)
    boxes[:20, 0] += 60

    found = findings(check_frames, {'train': make_part([boxes.tolist()])})

    assert found == {}
    # Nine objects may look so by chance.
    few = make_part([_corners(_xywh(9)).tolist()])
    assert findings(check_frames, {'train': few}) == {}


def test_boxes_in_0_to_1_are_told(make_part: Callable, findings: Callable) -> None:
    boxes = [[0.1, 0.2, 0.5, 0.5], [0, 0, 1, 1], [0.9, 0.9, 0.1, 0.1]]
    parts = {'val': make_part([boxes])}

    assert findings(check_frames, parts) == {
        'boxes-normalised': (
            3,
            'The cat [0.1, 0.2, 0.5, 0.5] of 1.jpg (val) lies within 0..1.',
        )
    }
    assert findings(check_geometry, parts) == {}


def test_one_small_box_does_not_make_a_frame(
    make_part: Callable, findings: Callable
) -> None:
    parts = {'val': make_part([[[0.1, 0.2, 0.5, 0.5], [4, 4, 20, 20]]])}

    assert findings(check_frames, parts) == {}
    assert [*findings(check_geometry, parts)] == ['box-empty']


def test_a_split_without_objects_has_no_frame(
    make_part: Callable, findings: Callable
) -> None:
    assert findings(check_frames, {'val': make_part([[], []])}) == {}
