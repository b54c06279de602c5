"""Prior generators, coders and assigners."""

from .anchor_generator import M2DetAnchorGenerator

__all__ = ['M2DetAnchorGenerator']
