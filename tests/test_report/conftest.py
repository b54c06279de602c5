"""A detector that finds and misses what the tests say."""

from collections.abc import Callable
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
from mmengine.config import Config
from pycocotools.coco import COCO

from m2det_mmdet.analysis.training_record import TrainingRecord
from m2det_mmdet.evaluation import FoundBoxes
from m2det_mmdet.evaluation.ground_truth import found_in
from m2det_mmdet.report import EvaluatedDetector

CLASSES = ('cat', 'dog')


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., EvaluatedDetector]:
    """Make an evaluation of images of 100 x 100 pixels."""

    def make(
        objects: list[list[tuple[int, list[float]]]],
        found: list[list[tuple[int, float, list[float]]]],
        **changes: object,
    ) -> EvaluatedDetector:
        """Make it.

        Args:
            objects: Of each image the labels and boxes, xywh.
            found: Of each image the labels, scores and boxes, xywh.
            changes: Other values than those below.
        """
        for index in range(len(objects)):
            image = np.full((100, 100, 3), (40 * index + 40) % 256, np.uint8)
            cv2.imwrite(str(tmp_path / f'{index}.png'), image)
        truth = COCO()
        truth.dataset = {
            'images': [
                {
                    'id': index + 1,
                    'file_name': str(tmp_path / f'{index}.png'),
                    'width': 100,
                    'height': 100,
                }
                for index in range(len(objects))
            ],
            'annotations': [
                {
                    'image_id': index + 1,
                    'category_id': label + 1,
                    'bbox': box,
                    'area': box[2] * box[3],
                    'iscrowd': 0,
                }
                for index, items in enumerate(objects)
                for label, box in items
            ],
            'categories': [
                {'id': id_, 'name': name} for id_, name in enumerate(CLASSES, 1)
            ],
        }
        for id_, item in enumerate(truth.dataset['annotations'], 1):
            item['id'] = id_
        truth.createIndex()
        values = {
            'name': 'run',
            'cfg': Config({'model': {'type': 'M2Det'}}),
            'checkpoint': 'best.pth',
            'parameters': 1_230_000,
            'split': 'val',
            'data': 'data/val.json',
            'data_problems': (),
            'truth': truth,
            'found': found_in(truth, [boxes(items) for items in found]),
            'read': mmcv.imread,
            'record': TrainingRecord(),
            'learned_from': 0,
            'chosen_on': False,
            'seconds': 1.5,
        }
        return EvaluatedDetector(**{**values, **changes})

    return make


def boxes(items: list[tuple[int, float, list[float]]]) -> FoundBoxes:
    """Return what a detector would give, xyxy."""
    rows = np.array([box for _, _, box in items], float).reshape(-1, 4)
    rows[:, 2:] += rows[:, :2]
    return FoundBoxes(
        rows,
        np.array([score for _, score, _ in items], float),
        np.array([label for label, _, _ in items], int),
    )
