"""COCO's figures for boxes that include their last pixel."""

import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS


@METRICS.register_module()
class InclusiveCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` for detectors that learned inclusive boxes.

    In M2Det's release ``x2, y2`` are the last pixel inside a box. It learns
    ``x1 + width - 1`` (``inclusive_boxes`` of :class:`.CheckedCocoDataset`) and reports
    widths and heights one pixel larger than the difference. Without this pixel small
    boxes lose overlap.
    """

    def xyxy2xywh(self, bbox: np.ndarray) -> list[float]:
        """Convert a box ``(4,)``, original pixels, to ``x, y, width, height``."""
        x, y, width, height = super().xyxy2xywh(bbox)
        return [x, y, width + 1, height + 1]
