"""Layers that several necks share."""

from .level_fusion import LevelFusion
from .spatial_fusion import AdaptiveSpatialFusion
from .statistics import check_statistics

__all__ = ['AdaptiveSpatialFusion', 'LevelFusion', 'check_statistics']
