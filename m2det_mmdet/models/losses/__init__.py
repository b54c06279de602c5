"""What a head learns: MMDetection's losses, chosen and called."""

from .box_loss import box_loss, build_box_loss, learns_decoded_boxes
from .class_loss import build_class_loss, class_losses, learns_quality

__all__ = [
    'box_loss',
    'build_box_loss',
    'build_class_loss',
    'class_losses',
    'learns_decoded_boxes',
    'learns_quality',
]
