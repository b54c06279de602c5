"""Prior generators, coders and assigners."""

from .anchor_generator import M2DetAnchorGenerator
from .refinedet_anchor_generator import RefineDetAnchorGenerator
from .ssd_bbox_coder import SSDBBoxCoder

__all__ = ['M2DetAnchorGenerator', 'RefineDetAnchorGenerator', 'SSDBBoxCoder']
