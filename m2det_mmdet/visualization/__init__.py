"""Everything that draws."""

from .comparison import draw_comparison
from .costs import CostPoint, draw_costs
from .predictions import draw_predictions

__all__ = ['CostPoint', 'draw_comparison', 'draw_costs', 'draw_predictions']
