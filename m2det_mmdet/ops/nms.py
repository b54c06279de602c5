"""Greedy non-maximum suppression in plain PyTorch."""

import torch
from torch import Tensor

# Rows of the overlap matrix held at a time: bounds memory at ``256 * N`` floats.
_BLOCK_SIZE = 256


def nms(
    boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int = 0
) -> Tensor:
    """Keep the boxes that overlap no better box by more than a threshold.

    Boxes are visited by descending score, equal scores in input order. They are
    processed in blocks: first the boxes of a block suppress each other one by one, then
    those that remain suppress all later boxes at once.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels.
        scores: One score per box.
        iou_threshold: A box is dropped if it overlaps a kept one by more than this.
        offset: Added to widths and heights; 1 where ``x2, y2`` are the last pixel
            inside the box.

    Shape:
        - boxes: ``(N, 4)``; scores: ``(N,)``.
        - Output: ``(K,)`` int64 indices into the input, best score first.

    Note:
        Boxes of zero area overlap nothing (0 / 0 counts as 0), as in mmcv's
        compiled operator. Half precision is computed in float32.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = boxes[order].to(torch.promote_types(boxes.dtype, torch.float32))
    alive = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    kept = []
    for start in range(0, len(boxes), _BLOCK_SIZE):
        stop = start + _BLOCK_SIZE
        block = start + alive[start:stop].nonzero().flatten()
        block = block[_greedy(boxes[block], iou_threshold, offset)]
        kept.append(order[block])
        rest = stop + alive[stop:].nonzero().flatten()
        if len(block) and len(rest):
            overlaps = pairwise_iou(boxes[block], boxes[rest], offset=offset)
            alive[rest] = ~(overlaps > iou_threshold).any(0)
    return torch.cat(kept) if kept else order


def pairwise_iou(boxes: Tensor, others: Tensor, *, offset: int = 0) -> Tensor:
    """Intersection over union of every box with every other.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels.
        others: Corners in the same frame.
        offset: Added to widths and heights.

    Shape:
        - boxes: ``(N, 4)``; others: ``(M, 4)``.
        - Output: ``(N, M)``; NaN where both areas are zero.
    """
    top_left = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inter = (bottom_right - top_left + offset).clamp_(min=0).prod(-1)
    areas = box_area(boxes, offset=offset)[:, None] + box_area(others, offset=offset)
    return inter / (areas - inter)


def box_area(boxes: Tensor, *, offset: float = 0) -> Tensor:
    """Areas ``(...)`` of boxes ``(..., 4)``, xyxy; ``offset`` enlarges both sides."""
    return (boxes[..., 2:] - boxes[..., :2] + offset).prod(-1)


def _greedy(boxes: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Mask ``(N,)`` of the boxes kept, for few boxes ordered best first."""
    conflicts = pairwise_iou(boxes, boxes, offset=offset) > iou_threshold
    conflicts = conflicts.cpu().numpy()
    suppressed = torch.zeros(len(boxes), dtype=torch.bool).numpy()
    for i, row in enumerate(conflicts):
        if not suppressed[i]:
            suppressed[i + 1 :] |= row[i + 1 :]
    return ~torch.from_numpy(suppressed).to(boxes.device)
