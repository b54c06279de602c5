"""COCO's figures for boxes whose last pixel lies inside."""

import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class InclusiveCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` for detectors that learnt inclusive boxes.

    M2Det's release takes ``x2, y2`` as the last pixel inside a box: it learns
    ``x1 + width - 1`` (``inclusive_boxes`` of
    :class:`.CheckedCocoDataset`) and reports widths and heights
    one pixel larger than the difference. Without that pixel its small boxes lose
    overlap.
    """

    def xyxy2xywh(self, bbox: np.ndarray) -> list[float]:
        """Convert a box ``(4,)``, original pixels, to ``x, y, width, height``."""
        x, y, width, height = super().xyxy2xywh(bbox)
        return [x, y, width + 1, height + 1]
