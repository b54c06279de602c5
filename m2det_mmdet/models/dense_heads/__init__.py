"""Dense heads."""

from .arm_head import ARMHead
from .m2det_head import M2DetHead
from .odm_head import ODMHead

__all__ = ['ARMHead', 'M2DetHead', 'ODMHead']
