"""Detectors."""

from .m2det import M2Det
from .tta import M2DetTTAModel

__all__ = ['M2Det', 'M2DetTTAModel']
