"""Metrics."""

from .graded_coco_metric import GradedCocoMetric
from .inclusive_coco_metric import InclusiveCocoMetric

__all__ = ['GradedCocoMetric', 'InclusiveCocoMetric']
