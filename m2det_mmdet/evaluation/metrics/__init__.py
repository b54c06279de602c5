"""Metrics."""

from .detections_metric import DetectionsMetric, FoundBoxes
from .graded_coco_metric import GradedCocoMetric
from .inclusive_coco_metric import InclusiveCocoMetric

__all__ = [
    'DetectionsMetric',
    'FoundBoxes',
    'GradedCocoMetric',
    'InclusiveCocoMetric',
]
