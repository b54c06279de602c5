"""Everything that draws."""

from .anchors import AnchorPlot, draw_anchors
from .boxes import draw_boxes
from .comparison import draw_comparison
from .costs import CostPoint, draw_costs
from .predictions import draw_predictions, draw_tracks
from .visualizer import BoxVisualizer

__all__ = [
    'AnchorPlot',
    'BoxVisualizer',
    'CostPoint',
    'draw_anchors',
    'draw_boxes',
    'draw_comparison',
    'draw_costs',
    'draw_predictions',
    'draw_tracks',
]
