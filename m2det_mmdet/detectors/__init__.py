"""Detectors."""

from .augfpn import AugFPNSingleStageDetector, AugFPNTwoStageDetector
from .m2det import M2Det
from .refinedet import RefineDet
from .tta import M2DetTTAModel

__all__ = [
    'AugFPNSingleStageDetector',
    'AugFPNTwoStageDetector',
    'M2Det',
    'M2DetTTAModel',
    'RefineDet',
]
