"""Everything that draws."""

from .comparison import draw_comparison
from .costs import CostPoint, draw_costs

__all__ = ['CostPoint', 'draw_comparison', 'draw_costs']
