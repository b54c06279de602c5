"""Suppression behind the network."""

import numpy as np
import pytest
from torch import nn

from m2det_mmdet import Prediction
from m2det_mmdet.web.suppression import Suppression, take_suppression

# IoU of the first two: 100 / 200 = 0.5.
FOUND = Prediction(
    path=None,
    image_id=1,
    boxes=np.float32([[0, 0, 10, 20], [0, 0, 10, 10], [50, 50, 60, 60]]),
    scores=np.float32([0.8, 0.9, 0.1]),
    labels=np.array([0, 0, 1]),
    classes=('a', 'b'),
    size=(100, 100),
)
OWN = {'type': 'nms', 'iou_threshold': 0.4}


@pytest.mark.parametrize(
    ('way', 'overlap', 'scores'),
    [
        ('own', 1.0, [0.9, 0.1]),
        ('hard', 0.6, [0.9, 0.8, 0.1]),
        ('hard', 0.4, [0.9, 0.1]),
        ('soft', 0.4, [0.9, 0.8 * 0.5, 0.1]),
        ('soft', 1.0, [0.9, 0.8, 0.1]),
    ],
)
def test_suppresses_in_the_chosen_way(
    way: str, overlap: float, scores: list[float]
) -> None:
    kept = Suppression(OWN, max_per_img=-1).apply(FOUND, way, overlap)

    np.testing.assert_allclose(kept.scores, scores, rtol=1e-6)
    assert kept.boxes[0].tolist() == [0, 0, 10, 10]
    assert len(FOUND) == 3


def test_keeps_as_many_boxes_as_the_detector() -> None:
    kept = Suppression(OWN, max_per_img=1).apply(FOUND, 'hard', 1.0)

    assert kept.scores.tolist() == pytest.approx([0.9])


def test_classes_suppress_each_other_where_they_do_in_the_detector() -> None:
    found = Prediction(**{**vars(FOUND), 'labels': np.array([0, 1, 1])})

    for agnostic, count in ((False, 3), (True, 2)):
        own = {**OWN, 'class_agnostic': agnostic}
        kept = Suppression(own, max_per_img=-1).apply(found, 'hard', 0.4)
        assert len(kept) == count


def test_leaves_a_detector_whose_suppression_lies_elsewhere() -> None:
    model = nn.Linear(1, 1)
    model.bbox_head = nn.Linear(1, 1)
    model.bbox_head.test_cfg = {'nms': {'type': 'nms', 'iou_threshold': 0.5}}

    assert take_suppression(model) is None
    assert model.bbox_head.test_cfg['nms'] is not None
