"""Detectors."""

from .augfpn import AugFPNSingleStageDetector, AugFPNTwoStageDetector
from .m2det import M2Det, drop_auxiliary
from .refinedet import RefineDet

__all__ = [
    'AugFPNSingleStageDetector',
    'AugFPNTwoStageDetector',
    'M2Det',
    'RefineDet',
    'drop_auxiliary',
]
