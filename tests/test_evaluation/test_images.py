from collections.abc import Callable

import pytest

from m2det_mmdet.evaluation.errors import ERROR_KINDS, DetectorError
from m2det_mmdet.evaluation.images import (
    ImageFigures,
    best_images,
    image_figures,
    telling_errors,
    worst_images,
)
from m2det_mmdet.evaluation.matches import match

BOX, FAR, ELSEWHERE = [0, 0, 10, 10], [50, 50, 10, 10], [200, 200, 10, 10]


def test_images_are_counted_and_drawn_to_what_is_usual(make_coco: Callable) -> None:
    # Image 1: one right. Image 2: one missed. Image 3: nothing. Image 4: one wrong, and
    # one right below the threshold.
    matches = match(
        *make_coco(
            [{'bbox': BOX, 'image_id': id_} for id_ in (1, 2, 4)],
            [
                {'bbox': BOX, 'score': 0.9},
                {'bbox': ELSEWHERE, 'score': 0.9, 'image_id': 4},
                {'bbox': BOX, 'score': 0.2, 'image_id': 4},
            ],
            images=4,
        )
    )

    images = image_figures(matches, score_thr=0.5)

    # F1 of all: 2 / (2 + 1 + 2) = 0.4; four more of it are 1.6.
    assert images == [
        (1, 1, 0, 0, pytest.approx((2 + 1.6) / 6)),
        (2, 0, 0, 1, pytest.approx(1.6 / 5)),
        (3, 0, 0, 0, pytest.approx(0.4)),
        (4, 0, 1, 1, pytest.approx(1.6 / 6)),
    ]
    assert best_images(images, 9) == images[:1]
    assert worst_images(images, 9) == [images[3], images[1]]
    assert worst_images(images, 1) == [images[3]]
    assert image_figures(matches, score_thr=0.1)[3][1:4] == (1, 1, 0)


def test_one_error_among_many_objects_is_not_the_worst(make_coco: Callable) -> None:
    # Image 1: ten objects, eight found. Image 2: four objects, none found. Image 3:
    # one, not found: less evidence than in image 2.
    rows = [[x, y, 10, 10] for x in (0, 20, 40, 60, 80) for y in (0, 20)]
    objects = [{'bbox': box} for box in rows]
    objects += [{'bbox': box, 'image_id': 2} for box in rows[:4]]
    objects += [{'bbox': BOX, 'image_id': 3}]
    found = [{'bbox': box, 'score': 0.9} for box in rows[:8]]

    images = image_figures(match(*make_coco(objects, found, images=3)), score_thr=0.5)

    assert [image.image_id for image in worst_images(images, 3)] == [2, 3, 1]


def test_where_nothing_is_right_the_images_of_most_errors_are_worst() -> None:
    images = [ImageFigures(id_, 0, n, 0, 0.0) for id_, n in enumerate([1, 3, 2])]

    assert [image.fp for image in worst_images(images, 3)] == [3, 2, 1]
    assert best_images(images, 3) == []


@pytest.mark.filterwarnings('error')
def test_images_without_anything_have_no_errors(make_coco: Callable) -> None:
    assert image_figures(match(*make_coco([], [])), score_thr=0.5) == [(1, 0, 0, 0, 0)]


def _wrong(image_id: int, score: float, area: float = 1) -> DetectorError:
    return DetectorError('both', image_id, 1, 1, 0.3, score, area)


def test_the_highest_scores_tell_most_each_of_another_image() -> None:
    a, b, c, d = _wrong(1, 0.9), _wrong(1, 0.8), _wrong(2, 0.5), _wrong(3, 0.1)
    errors = [d, c, b, a]

    assert telling_errors(errors, 2)['both'] == [a, c]
    assert telling_errors(errors, 4)['both'] == [a, c, d, b]
    assert telling_errors(errors, 0)['both'] == []
    assert set(telling_errors(errors, 2)) == set(ERROR_KINDS)


def test_the_largest_missed_objects_tell_most() -> None:
    small, large = (
        DetectorError('missed', id_, None, id_, 0, None, area)
        for id_, area in ((1, 10), (2, 99))
    )

    assert telling_errors([small, large], 2)['missed'] == [large, small]
    assert telling_errors([], 2)['missed'] == []
