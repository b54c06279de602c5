"""Operators in plain PyTorch: tensors in, tensors out."""

from .focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from .nms import nms, pairwise_iou
from .roi_align import RoIGrid, roi_align_backward, roi_align_forward
from .soft_nms import SOFT_NMS_METHODS, batched_soft_nms, multiclass_soft_nms, soft_nms

__all__ = [
    'SOFT_NMS_METHODS',
    'RoIGrid',
    'batched_soft_nms',
    'multiclass_soft_nms',
    'nms',
    'pairwise_iou',
    'roi_align_backward',
    'roi_align_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'soft_nms',
]
