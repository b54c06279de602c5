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

    Args:
        inclusive_boxes: Whether the detector gives the last pixel inside a box as
            ``x2, y2``, as :class:`.InclusiveCocoMetric` tells. It is moved to the end
            of the box.
        **kwargs: Arguments of ``BaseMetric``.

    Attributes:
        found: After the evaluation a :class:`FoundBoxes` an image, in the order of the
            data set; in processes but the first it stays empty.
    """

    default_prefix = 'detections'

    def __init__(self, *, inclusive_boxes: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inclusive_boxes = inclusive_boxes
        self.found: list[FoundBoxes] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take over the boxes of a batch."""
        for sample in data_samples:
            found = sample['pred_instances']
            parts = (found['bboxes'], found['scores'], found['labels'])
            boxes, scores, labels = (part.cpu().numpy() for part in parts)
            if self.inclusive_boxes:
                boxes = boxes + (0, 0, 1, 1)
            self.results.append(FoundBoxes(boxes, scores, labels))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Keep the boxes of all images."""
        # MMEngine makes plain tuples of them.
        self.found = [FoundBoxes(*boxes) for boxes in results]
        return {}
