from collections.abc import Callable

import numpy as np
import pytest
from pycocotools.coco import COCO

from m2det_mmdet.evaluation.confusion import Confusion, ConfusionMatrix, confusion
from m2det_mmdet.evaluation.matches import match

BOX, FAR, THIRD = [0, 0, 10, 10], [50, 50, 10, 10], [90, 90, 10, 10]


def _confusion(pair: tuple[COCO, COCO], score_thr: float = 0) -> ConfusionMatrix:
    return confusion(*pair, match(*pair), score_thr=score_thr)


def test_rows_are_true_classes_and_columns_predicted_ones(make_coco: Callable) -> None:
    pair = make_coco(
        [
            {'bbox': BOX},
            {'bbox': FAR, 'category_id': 2},
            {'bbox': THIRD},
            {'bbox': [0, 0, 600, 600], 'iscrowd': 1},
        ],
        [
            {'bbox': BOX, 'score': 0.5},
            # A cat, but for the class; the object has a better match of its class.
            {'bbox': BOX, 'score': 0.9, 'category_id': 2},
            # The dog, taken for a cat; then again, with a lower score.
            {'bbox': FAR, 'score': 0.8, 'category_id': 3},
            {'bbox': FAR, 'score': 0.7, 'category_id': 3},
            # In a crowd of its class.
            {'bbox': [300, 300, 10, 10], 'score': 0.6},
        ],
        classes=('cat', 'dog', 'cow'),
    )

    matrix = _confusion(pair)

    assert matrix.classes == ('cat', 'dog', 'cow')
    assert matrix.counts.tolist() == [
        # cat, dog, cow, missed
        [1, 0, 0, 1],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 1, 1, 0],
    ]
    assert matrix.most_confused(5) == [Confusion('dog', 'cow', 1)]
    # From 0.8 on the cat's own detection does not count, and the other takes it.
    assert _confusion(pair, 0.8).counts.tolist() == [
        [0, 1, 0, 1],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('score_thr', [0, 0.3, 0.8])
def test_all_objects_and_detections_are_in_it_once(
    seed: int, score_thr: float, random_coco: Callable
) -> None:
    truth, found = random_coco(seed)
    matches = match(truth, found)

    counts = confusion(truth, found, matches, score_thr=score_thr).counts

    objects = [item for item in truth.anns.values() if not item['iscrowd']]
    labels = [item['category_id'] for item in objects]
    expected = [labels.count(id_) for id_ in range(1, 6)]
    assert counts[:5].sum(axis=1).tolist() == expected
    counted = (matches.detections.score >= score_thr) & ~matches.detections.ignored
    columns = np.bincount(matches.detections.label[counted], minlength=5)
    assert counts[:, :5].sum(axis=0).tolist() == columns.tolist()
    assert np.diag(counts)[:5].sum() == matches.at(score_thr).right.sum()
    assert counts[5, 5] == 0


def test_the_most_confused_come_first() -> None:
    counts = np.array([[9, 2, 0, 5], [3, 9, 2, 5], [0, 0, 9, 5], [7, 7, 7, 0]])
    matrix = ConfusionMatrix(('a', 'b', 'c'), counts, 0.5, 0.5)

    assert matrix.most_confused(2) == [('b', 'a', 3), ('a', 'b', 2)]
    assert matrix.most_confused(9) == [('b', 'a', 3), ('a', 'b', 2), ('b', 'c', 2)]
    assert matrix.counts is counts
    assert counts[0, 0] == 9


@pytest.mark.filterwarnings('error')
def test_without_objects_or_detections_it_is_empty(make_coco: Callable) -> None:
    item = {'bbox': BOX, 'score': 0.5}

    assert not _confusion(make_coco([], [])).counts.any()
    assert _confusion(make_coco([], [])).most_confused(3) == []
    assert _confusion(make_coco([], [item])).counts[2].tolist() == [1, 0, 0]
    assert _confusion(make_coco([item], [])).counts[:, 2].tolist() == [1, 0, 0]
