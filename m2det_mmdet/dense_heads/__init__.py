"""Dense heads."""

from .m2det_head import M2DetHead

__all__ = ['M2DetHead']
