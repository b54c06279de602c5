"""Test-time augmentation."""

from .tta import M2DetTTAModel

__all__ = ['M2DetTTAModel']
