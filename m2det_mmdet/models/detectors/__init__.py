"""Detectors."""

from ..test_time_augs.tta import M2DetTTAModel
from .augfpn import AugFPNSingleStageDetector, AugFPNTwoStageDetector
from .m2det import M2Det
from .refinedet import RefineDet

__all__ = [
    'AugFPNSingleStageDetector',
    'AugFPNTwoStageDetector',
    'M2Det',
    'M2DetTTAModel',
    'RefineDet',
]
