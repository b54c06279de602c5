"""Metrics, and predictions as records of COCO's results format."""

from .coco_records import CocoIds, to_records
from .metrics import (
    DetectionsMetric,
    FoundBoxes,
    GradedCocoMetric,
    InclusiveCocoMetric,
)

__all__ = [
    'CocoIds',
    'DetectionsMetric',
    'FoundBoxes',
    'GradedCocoMetric',
    'InclusiveCocoMetric',
    'to_records',
]
