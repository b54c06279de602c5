"""Everything that draws."""

from .comparison import draw_comparison

__all__ = ['draw_comparison']
