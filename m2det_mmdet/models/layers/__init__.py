"""Layers that several necks share."""

from .spatial_fusion import AdaptiveSpatialFusion
from .statistics import check_statistics

__all__ = ['AdaptiveSpatialFusion', 'check_statistics']
