"""Metrics, and predictions as records of COCO's results format."""

from .coco_records import CocoIds, to_records
from .metrics import GradedCocoMetric, InclusiveCocoMetric

__all__ = ['CocoIds', 'GradedCocoMetric', 'InclusiveCocoMetric', 'to_records']
