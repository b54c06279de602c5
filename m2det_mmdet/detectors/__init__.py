"""Detectors."""

from .augfpn import AugFPNSingleStageDetector, AugFPNTwoStageDetector
from .m2det import M2Det
from .tta import M2DetTTAModel

__all__ = [
    'AugFPNSingleStageDetector',
    'AugFPNTwoStageDetector',
    'M2Det',
    'M2DetTTAModel',
]
