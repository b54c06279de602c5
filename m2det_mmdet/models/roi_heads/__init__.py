"""RoI extractors, and supervision by RoIs."""

from .consistent_supervision import ConsistentSupervision
from .extractors import AllLevelRoIExtractor, FusedRoIExtractor, SoftRoIExtractor
from .level_heads import PANetBBoxHead, PANetMaskHead
from .sampling import sample_rois

__all__ = [
    'AllLevelRoIExtractor',
    'ConsistentSupervision',
    'FusedRoIExtractor',
    'PANetBBoxHead',
    'PANetMaskHead',
    'SoftRoIExtractor',
    'sample_rois',
]
