"""Soft-NMS that a graph can hold: tensors and one loop, for exported detectors.

:func:`torch.export.export` and :func:`torch.onnx.export` take it as it is: ONNX has no
operator for soft-NMS, but a ``Loop``. It runs on any device, and gives what
:func:`.multiclass_soft_nms` gives.
"""

import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop

from .kernels import Settings, check_limit
from .kernels.picks_torch import overlap, weaken


def traced_soft_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    score_thr: float = 0.0,
    class_agnostic: bool = False,
    max_num: int = -1,
    **options: float | str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pick boxes as :func:`.multiclass_soft_nms` does, in the same order.

    Each step of the loop picks the best box of every image and weakens those that it
    overlaps. The loop ends when no image has a box left.

    Args:
        boxes: ``(B, A, 4)``, and the others: as of :func:`.multiclass_soft_nms`.
        scores: ``(B, A, C)``.
        score_thr: Likewise.
        class_agnostic: Likewise.
        max_num: Likewise.
        **options: Likewise.

    Returns:
        Boxes ``(B, K, 4)``, scores ``(B, K)``, descending, and labels ``(B, K)``. ``K``
        is ``max_num``; without a limit it is the largest number of scores above the
        threshold in an image, and at least 1. If an image has fewer boxes left, the
        rest of boxes and scores is 0 and that of labels -1.

    Raises:
        ValueError: As :func:`.batched_soft_nms`.
    """
    settings = Settings(**options)
    max_num = check_limit('max_num', max_num)
    boxes, scores, labels = _candidates(boxes, scores, score_thr, settings)
    limit = max_num if max_num > 0 else scores.shape[1]
    places = torch.arange(limit, device=scores.device)
    # A loop takes a tensor from outside, but no number that a graph learns.
    end = places.new_full((), limit)
    # For OpenVINO the largest of values that are all minus infinity is this number.
    nothing = torch.finfo(scores.dtype).min
    groups = torch.zeros_like(labels) if class_agnostic else labels

    def has_boxes(step: Tensor, current: Tensor, *_: Tensor) -> Tensor:
        return (step < end) & (current.max() > nothing)

    def pick(
        step: Tensor, current: Tensor, picked: Tensor, rows: Tensor
    ) -> tuple[Tensor, ...]:
        top, best = current.max(dim=1, keepdim=True)
        picked = torch.where(places == step, top, picked)
        rows = torch.where(places == step, best, rows)
        chosen = boxes.gather(1, best[..., None].expand(-1, 1, 4))
        group = groups.gather(1, best)
        current = current.scatter(1, best, -torch.inf)
        weaker = weaken(current, overlap(chosen, boxes, settings.offset), settings)
        if settings.max_per_class > 0:
            of_group = (groups.gather(1, rows) == group) & (picked > nothing)
            is_full = of_group.sum(1, keepdim=True) >= settings.max_per_class
            weaker = torch.where(is_full, -torch.inf, weaker)
        return step + 1, torch.where(groups == group, weaker, current), picked, rows

    picked = scores.new_full((scores.shape[0], limit), -torch.inf)
    start = (places.new_zeros(()), scores, picked, places.new_zeros(picked.shape))
    _, _, picked, rows = while_loop(has_boxes, pick, start)
    missing = picked <= nothing
    found = boxes.gather(1, rows[..., None].expand(-1, -1, 4))
    return (
        found.masked_fill(missing[..., None], 0),
        picked.masked_fill(missing, 0),
        labels.gather(1, rows).masked_fill(missing, -1),
    )


def _candidates(
    boxes: Tensor, scores: Tensor, score_thr: float, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Gather the scores above the threshold, in the order of the input.

    Returns:
        Boxes ``(B, S, 4)``, scores ``(B, S)`` and labels ``(B, S)``, ``S`` being the
        largest number of an image; minus infinity fills up the others.
    """
    num_classes = scores.shape[2]
    takes_part = (scores > score_thr) & boxes.isfinite().all(2, keepdim=True)
    takes_part &= scores < torch.inf
    if not settings.original:
        takes_part &= scores >= settings.min_score
    scores = scores.masked_fill(~takes_part, -torch.inf).flatten(1)
    count = (scores > -torch.inf).sum(1).max().clamp(min=1).item()
    # What torch.export cannot see.
    torch._check(count >= 1)
    torch._check(count <= scores.shape[1])
    places = scores.topk(count, dim=1, sorted=False).indices.sort(dim=1).values
    rows = places // num_classes
    return (
        boxes.gather(1, rows[..., None].expand(-1, -1, 4)),
        scores.gather(1, places),
        places % num_classes,
    )
