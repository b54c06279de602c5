"""Layers that several necks or heads share."""

from .level_fusion import LevelFusion
from .shared_convs import SharedConvs
from .spatial_fusion import AdaptiveSpatialFusion
from .statistics import check_statistics

__all__ = [
    'AdaptiveSpatialFusion',
    'LevelFusion',
    'SharedConvs',
    'check_statistics',
]
