"""RoI extractors, and supervision by RoIs."""

from .consistent_supervision import ConsistentSupervision
from .extractors import AllLevelRoIExtractor, SoftRoIExtractor
from .sampling import sample_rois

__all__ = [
    'AllLevelRoIExtractor',
    'ConsistentSupervision',
    'SoftRoIExtractor',
    'sample_rois',
]
