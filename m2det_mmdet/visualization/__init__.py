"""Everything that draws."""

from .anchors import AnchorPlot, draw_anchors
from .comparison import draw_comparison
from .costs import CostPoint, draw_costs
from .predictions import draw_predictions

__all__ = [
    'AnchorPlot',
    'CostPoint',
    'draw_anchors',
    'draw_comparison',
    'draw_costs',
    'draw_predictions',
]
