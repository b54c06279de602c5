from collections.abc import Callable

import numpy as np
import pytest

from m2det_mmdet.evaluation.confidence import best_threshold, by_confidence, count
from m2det_mmdet.evaluation.matches import match

BOX, FAR = [0, 0, 10, 10], [50, 50, 10, 10]
ELSEWHERE = [200, 200, 10, 10]


def test_each_threshold_has_its_counts_and_rates(make_coco: Callable) -> None:
    # Two cats, found at 0.9 and 0.29, and one wrong at 0.57; no dog, but one predicted.
    # A score that is equal to a threshold counts there: 0.29 and 0.57 are such whose
    # hundredths are easily off by the last digit.
    matches = match(
        *make_coco(
            [{'bbox': BOX}, {'bbox': FAR}],
            [
                {'bbox': BOX, 'score': 0.9},
                {'bbox': FAR, 'score': 0.29},
                {'bbox': ELSEWHERE, 'score': 0.57},
                {'bbox': ELSEWHERE, 'score': 0.1, 'category_id': 2},
            ],
        )
    )

    curves = by_confidence(matches)

    at = [0, 29, 30, 57, 58, 90, 91, 100]
    np.testing.assert_array_equal(curves.thresholds, [i / 100 for i in range(101)])
    assert curves.classes == ('cat', 'dog')
    assert curves.counts.tp[0, at].tolist() == [2, 2, 1, 1, 1, 1, 0, 0]
    assert curves.counts.fp[0, at].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert curves.counts.fn[0, at].tolist() == [0, 0, 1, 1, 1, 1, 2, 2]
    assert curves.counts.fp[1, [0, 10, 11]].tolist() == [1, 1, 0]
    cat = curves.by_class.precision[0, at]
    np.testing.assert_allclose(cat, [2 / 3] * 2 + [0.5] * 2 + [1] * 2 + [np.nan] * 2)
    cat = curves.by_class.recall[0, at]
    np.testing.assert_allclose(cat, [1, 1, 0.5, 0.5, 0.5, 0.5, 0, 0])
    cat = curves.by_class.f1[0, at]
    np.testing.assert_allclose(cat, [0.8, 0.8, 0.5, 0.5, 2 / 3, 2 / 3, 0, 0])
    # Without dogs there is nothing to find, and a wrong dog is still wrong.
    assert np.isnan(curves.by_class.f1[1]).all()
    assert np.isnan(curves.by_class.recall[1]).all()
    assert curves.by_class.precision[1, 0] == 0
    np.testing.assert_array_equal(curves.macro.f1, curves.by_class.f1[0])
    np.testing.assert_allclose(curves.micro.precision[[0, 29]], [2 / 4, 2 / 3])
    # F1 is 0.8 from 0 to 0.29, of which 0.14 and 0.15 are in the middle.
    assert curves.best_thr == 0.14
    assert curves.best_thr_by_class == (0.14, None)


def test_the_macro_mean_is_over_classes_with_objects(make_coco: Callable) -> None:
    matches = match(
        *make_coco(
            [{'bbox': BOX}, {'bbox': FAR, 'category_id': 2}],
            [
                {'bbox': BOX, 'score': 0.6},
                {'bbox': FAR, 'score': 0.5, 'category_id': 3},
            ],
            classes=('cat', 'dog', 'cow'),
        )
    )

    curves = by_confidence(matches)

    # The cat is found, the dog is not and has no detection.
    assert curves.macro.f1[50] == 0.5
    assert curves.macro.recall[50] == 0.5
    assert curves.macro.precision[50] == 1
    assert curves.micro.f1[50] == pytest.approx(2 / 4)
    assert curves.micro.f1[60] == pytest.approx(2 / 3)


def test_counts_of_the_curves_are_those_at_each_threshold(
    random_coco: Callable,
) -> None:
    matches = match(*random_coco(5))
    curves = by_confidence(matches)

    assert curves.counts.tp[:, 0].sum() > 10
    for place, thr in enumerate(curves.thresholds):
        for curve, single in zip(
            curves.counts, count(matches, score_thr=thr), strict=True
        ):
            np.testing.assert_array_equal(curve[:, place], single)


def test_crowds_do_not_count(make_coco: Callable) -> None:
    matches = match(
        *make_coco([{'bbox': BOX, 'iscrowd': 1}], [{'bbox': BOX, 'score': 0.9}])
    )

    assert [part.tolist() for part in count(matches, score_thr=0)] == [[0, 0]] * 3


@pytest.mark.parametrize(
    ('f1', 'best'),
    [
        ([0, 0.2, 0.9, 0.3], 2),
        ([0.5, 0.5, 0.5, 0.1], 1),
        ([0.1, 0.5, 0.5, 0.5, 0.5], 2),
        ([0.5, 0.1, 0.5, 0.5, 0.5, 0.1], 3),
        ([0.5, 0.1, 0.5], 2),
        ([np.nan, 0.4], 1),
        ([0, 0], None),
        ([np.nan, np.nan], None),
    ],
)
def test_the_best_threshold_is_in_the_middle_of_equal_ones(
    f1: list[float], best: int | None
) -> None:
    assert best_threshold(np.arange(len(f1)), np.array(f1)) == best


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('objects', [[], [{'bbox': BOX}]])
@pytest.mark.parametrize('detections', [[], [{'bbox': ELSEWHERE, 'score': 0.5}]])
def test_where_nothing_is_found_no_threshold_is_best(
    make_coco: Callable, objects: list, detections: list
) -> None:
    curves = by_confidence(match(*make_coco(objects, detections)))

    assert curves.best_thr is None
    assert curves.best_thr_by_class == (None, None)
    assert not np.nan_to_num(curves.micro.f1).any()
    assert np.isnan(curves.micro.f1).all() == (not objects)
