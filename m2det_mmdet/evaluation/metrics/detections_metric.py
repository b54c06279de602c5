"""Keeps what a detector finds, for those who compute figures of their own."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric


class FoundBoxes(NamedTuple):
    """What was found in an image.

    Attributes:
        boxes: ``(K, 4)``, xyxy, pixels of the image.
        scores: ``(K,)``, from 0 to 1.
        labels: ``(K,)``, places in the classes.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


@METRICS.register_module()
class DetectionsMetric(BaseMetric):
    """Keeps the boxes of all images, and computes nothing.

    Attributes:
        found: After the evaluation a :class:`FoundBoxes` an image, in the order of the
            data set; in processes but the first it stays empty.
    """

    default_prefix = 'detections'

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.found: list[FoundBoxes] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take over the boxes of a batch."""
        for sample in data_samples:
            found = sample['pred_instances']
            parts = (found['bboxes'], found['scores'], found['labels'])
            self.results.append(FoundBoxes(*(part.cpu().numpy() for part in parts)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Keep the boxes of all images."""
        # MMEngine makes plain tuples of them.
        self.found = [FoundBoxes(*boxes) for boxes in results]
        return {}
