"""Operators with the names and signatures that mmcv's Python code expects.

Arguments are those of mmcv's compiled module: results go into tensors that the caller
made where mmcv does so.
"""

from torch import Tensor

from .. import ops

__all__ = [
    'get_compiler_version',
    'get_compiling_cuda_version',
    'nms',
    'roi_align_backward',
    'roi_align_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softnms',
]

# mmcv's Python code passes their numbers.
_POOL_MODES = ('max', 'avg')


def get_compiler_version() -> str:
    """Answer of ``collect_env`` to which compiler built the operators."""
    return 'none (portable operators of m2det_mmdet)'


def get_compiling_cuda_version() -> str:
    """Answer of ``collect_env`` to which CUDA the operators were built for."""
    return 'not available'


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices kept by greedy NMS."""
    return ops.nms(boxes, scores, iou_threshold=iou_threshold, offset=offset)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Indices kept by soft-NMS; fills the first rows of ``dets (N, 5)``."""
    kept, index = ops.soft_nms(
        boxes,
        scores,
        iou_threshold=iou_threshold,
        sigma=sigma,
        min_score=min_score,
        method=ops.SOFT_NMS_METHODS[method],
        offset=offset,
    )
    dets[: len(kept)] = kept
    return index


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output``, and with max pooling ``argmax_y`` and ``argmax_x``."""
    grid = ops.RoIGrid(
        (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned
    )
    mode = _POOL_MODES[pool_mode]
    results = ops.roi_align_forward(input, rois, grid, pool_mode=mode)
    for given, result in zip((output, argmax_y, argmax_x), results, strict=True):
        given.copy_(result)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient by the feature maps to ``grad_input``."""
    grid = ops.RoIGrid(
        (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned
    )
    grad_input += ops.roi_align_backward(
        grad_output,
        rois,
        argmax_y,
        argmax_x,
        grid,
        input_shape=grad_input.shape,
        pool_mode=_POOL_MODES[pool_mode],
    )


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fill ``output`` with the loss of each element; an empty weight means 1."""
    output.copy_(
        ops.sigmoid_focal_loss_forward(input, target, weight, gamma=gamma, alpha=alpha)
    )


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fill ``grad_input`` with the derivative of each element's loss."""
    grad_input.copy_(
        ops.sigmoid_focal_loss_backward(input, target, weight, gamma=gamma, alpha=alpha)
    )
