"""Soft-NMS: overlapping boxes lose score instead of being dropped.

Source: `Soft-NMS <https://arxiv.org/abs/1704.04503>`_. The scores are those of mmcv's
compiled operator. On the CPU numba's compiled loops do the work, on the GPU a Triton
kernel; without them, or where they do not run, PyTorch does. All give the same boxes in
the same order, and the same scores up to the rounding of an exponential.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from . import kernels
from .kernels import Settings, check_limit, check_number

SOFT_NMS_METHODS = kernels.METHODS


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    method: str = 'linear',
    offset: int = 0,
    max_num: int = -1,
) -> tuple[Tensor, Tensor]:
    """Soft-NMS over boxes of one class, with the results of mmcv's operator.

    The best box is picked. All others lose score by their overlap with it, and those
    that fall below ``min_score`` are dropped. This repeats. The arguments have the
    order of mmcv's function, so that this one can replace it.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels. Boxes with a NaN or infinite
            coordinate are left out.
        scores: One score per box, not negative. NaN and infinite ones are left out.
        iou_threshold: Overlap from which ``naive`` and ``linear`` act (``>=``).
        sigma: Width of ``gaussian``: the factor is ``exp(-iou**2 / sigma)``.
        min_score: Boxes below it are dropped. Only the best box is always returned,
            as in mmcv.
        method: ``naive`` (factor 0), ``linear`` (``1 - iou``) or ``gaussian``.
        offset: Added to widths and heights; 1 if ``x2, y2`` are the last pixel
            inside the box.
        max_num: Most boxes to pick; no limit if it is not positive.

    Shape:
        - boxes: ``(N, 4)``; scores: ``(N,)``.
        - Output: ``dets (K, 5)`` as ``x1, y1, x2, y2, score``, best score first,
          and ``keep (K,)``, int64 indices into the input.

    Raises:
        ValueError: As :func:`batched_soft_nms`.

    Note:
        Equal scores come in input order; in mmcv their order depends on its swaps.
        No gradient passes. Two boxes of zero area overlap by 0.
    """
    labels = torch.zeros_like(scores, dtype=torch.int64)
    dets, keep = batched_soft_nms(
        boxes,
        scores,
        labels,
        iou_threshold=iou_threshold,
        sigma=sigma,
        min_score=min_score,
        method=method,
        offset=offset,
        max_num=max_num,
    )
    if len(keep) or not len(boxes):
        return dets, keep
    finite = boxes.isfinite().all(1) & scores.isfinite()
    best = scores.detach().masked_fill(~finite, -torch.inf).argmax()[None]
    best = best[finite[best]]
    boxes = _as_float(boxes)
    return torch.cat((boxes[best], scores[best, None].to(boxes)), dim=1).detach(), best


def batched_soft_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    max_num: int = -1,
    **options: float | str,
) -> tuple[Tensor, Tensor]:
    """Soft-NMS in which only boxes of the same class act on each other.

    Picks the best box of all classes, weakens the others of its class, and repeats
    until ``max_num`` boxes are picked. Coordinates are not shifted by class.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels. Boxes with a NaN or infinite
            coordinate are left out.
        scores: One score per box, not negative. NaN and infinite ones are left out,
            so that a batch may be padded with them.
        labels: Class of each box, any whole numbers.
        max_num: Most boxes of an image over all classes; no limit if it is not
            positive.
        **options: ``iou_threshold``, ``sigma``, ``min_score``, ``method`` and
            ``offset`` as for :func:`soft_nms`;

            - ``variant``: ``mmcv`` (the default), or ``original``: the code of
              Soft-NMS's authors, which M2Det's release uses. There ``naive`` and
              ``linear`` act only above the threshold (``>``), and a box that
              overlaps no better one stays even if it is below ``min_score``.
            - ``max_per_class``: Most boxes of each class; -1 for no limit.

    Shape:
        - One image: boxes ``(N, 4)``, scores and labels ``(N,)``. Output:
          ``dets (K, 5)`` as ``x1, y1, x2, y2, score``, best score first, and
          ``keep (K,)``, int64 indices into the input.
        - A batch of B: ``(B, N, 4)`` and ``(B, N)``. Output: ``dets (B, K, 5)`` and
          ``keep (B, K)`` with ``K = max_num``, or ``N`` if that is fewer or there is
          no limit. If an image has fewer boxes left, the rest of ``keep`` is -1 and
          that of ``dets`` 0.

    Raises:
        ValueError: If the shapes do not fit, ``method`` or ``variant`` is unknown,
            another option is not a number, ``iou_threshold`` is not in 0..1,
            ``sigma`` is not positive, ``min_score`` is negative, or a limit is not a
            whole number.

    Note:
        Unlike :func:`soft_nms`, a class returns nothing if its best box is below
        ``min_score``. Equal scores come in input order.
    """
    settings = Settings(**options)
    max_num = check_limit('max_num', max_num)
    _check_shapes(boxes, scores, labels)
    boxes = _as_float(boxes)
    if boxes.dim() == 3:
        best, keep = _picks(boxes, scores, labels, settings, max_num)
        return _dets(boxes, best, keep), keep
    best, keep = _picks(boxes[None], scores[None], labels[None], settings, max_num)
    count = int((keep >= 0).sum())
    keep = keep[0, :count]
    dets = torch.cat((boxes.detach()[keep], best[0, :count, None].to(boxes)), dim=1)
    return dets, keep


def multiclass_soft_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    score_thr: float = 0.0,
    class_agnostic: bool = False,
    max_num: int = -1,
    **options: float | str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Soft-NMS over boxes that each have a score for every class.

    With Triton on a GPU, a positive ``max_num`` and separate classes, the host does not
    wait for the GPU.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels.
        scores: Scores of each class, not negative.
        score_thr: A box takes part in those classes where its score is higher.
        class_agnostic: Whether boxes of different classes act on each other.
        max_num: Most boxes of an image over all classes; no limit if it is not
            positive.
        **options: As for :func:`batched_soft_nms`.

    Shape:
        - boxes: ``(B, A, 4)``; scores: ``(B, A, C)``.
        - Output: ``dets (B, K, 5)`` as ``x1, y1, x2, y2, score``, best score first,
          ``labels (B, K)``, and ``keep (B, K)``, rows of the boxes. ``K`` is
          ``max_num``, or ``A * C`` if that is fewer. Without a limit ``K`` is the
          largest number of scores above the threshold in an image. If an image has
          fewer boxes left, the rest of labels and rows is -1 and that of ``dets`` 0.

    Raises:
        ValueError: As :func:`batched_soft_nms`.
    """
    settings = Settings(**options)
    max_num = check_limit('max_num', max_num)
    check_number('score_thr', score_thr)
    if scores.dim() != 3 or boxes.shape != (*scores.shape[:2], 4):
        raise ValueError(
            'boxes must be (B, A, 4) and scores (B, A, C), got '
            f'{tuple(boxes.shape)} and {tuple(scores.shape)}.'
        )
    boxes = _as_float(boxes)
    dtype = _working_type(boxes)
    static = max_num > 0 and not class_agnostic

    def sparse() -> tuple[Tensor, Tensor, Tensor]:
        return _sparse_picks(
            boxes, scores, score_thr, class_agnostic, settings, max_num
        )

    def dense() -> tuple[Tensor, Tensor, Tensor]:
        from .kernels.picks_triton import dense_picks

        work = (x.detach().to(dtype) for x in (boxes, scores))
        return dense_picks(*work, score_thr, settings, max_num)

    if static and kernels.kernel_name(boxes.device, dtype) == 'triton':
        best, rows, labels = kernels.or_else('triton', dense, sparse)
    else:
        best, rows, labels = sparse()
    return _dets(boxes, best, rows), labels, rows


def _sparse_picks(
    boxes: Tensor,
    scores: Tensor,
    score_thr: float,
    class_agnostic: bool,
    settings: Settings,
    max_num: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pick only from the scores above the threshold.

    Returns:
        Final scores, rows and labels as :func:`multiclass_soft_nms` describes them.
    """
    rows, labels = _above(scores, score_thr)
    images = torch.arange(len(scores), device=scores.device)[:, None]
    best, keep = _picks(
        boxes[images, rows],
        scores[images, rows, labels].masked_fill(rows < 0, -torch.inf),
        torch.zeros_like(labels) if class_agnostic else labels,
        settings,
        max_num,
    )
    if max_num > 0:
        missing = (0, min(max_num, scores.shape[1:].numel()) - keep.shape[1])
        best = F.pad(best, missing, value=-torch.inf)
        keep = F.pad(keep, missing, value=-1)
    return best, _take(rows, keep, -1), _take(labels, keep, -1)


def _picks(
    boxes: Tensor, scores: Tensor, labels: Tensor, settings: Settings, max_num: int
) -> tuple[Tensor, Tensor]:
    """Pick by the kernel of the boxes' device."""
    dtype = _working_type(boxes)
    count = scores.shape[1]
    return kernels.picks(
        boxes.detach().to(dtype),
        scores.detach().to(dtype),
        labels.to(torch.int64),
        settings,
        min(max_num, count) if max_num > 0 else count,
    )


def _as_float(boxes: Tensor) -> Tensor:
    """Convert integer boxes, since scores are put beside them."""
    return boxes if boxes.is_floating_point() else boxes.float()


def _working_type(boxes: Tensor) -> torch.dtype:
    """Dtype to compute in: half precision is too coarse for coordinates."""
    return torch.promote_types(boxes.dtype, torch.float32)


def _above(scores: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Find the scores ``(B, A, C)`` above a threshold.

    Returns:
        Their rows and their classes, ``(B, S)``; -1 if an image has fewer.
    """
    image, row, label = (scores > threshold).nonzero(as_tuple=True)
    counts = image.bincount(minlength=len(scores))
    longest = int(counts.max()) if len(counts) else 0
    first = counts.cumsum(0) - counts
    place = torch.arange(len(image), device=image.device) - first[image]
    found = image.new_full((2, len(scores), longest), -1)
    found[:, image, place] = torch.stack((row, label))
    return found[0], found[1]


def _dets(boxes: Tensor, scores: Tensor, keep: Tensor) -> Tensor:
    """Boxes and their final scores, ``(B, K, 5)``, in the dtype of the boxes."""
    scores = scores.to(boxes).masked_fill(keep < 0, 0)
    return torch.cat((_take(boxes.detach(), keep, 0), scores[..., None]), dim=2)


def _take(values: Tensor, keep: Tensor, other: int) -> Tensor:
    """Rows ``keep (B, K)`` of ``values (B, N, ...)``; ``other`` for a row of -1."""
    if values.shape[1] == 0:
        return values.new_full((*keep.shape, *values.shape[2:]), other)
    images = torch.arange(len(keep), device=keep.device)[:, None]
    absent = (keep < 0).view(*keep.shape, *[1] * (values.dim() - 2))
    return values[images, keep.clamp(min=0)].masked_fill(absent, other)


def _check_shapes(boxes: Tensor, scores: Tensor, labels: Tensor) -> None:
    if boxes.shape[-1:] != (4,) or boxes.dim() not in (2, 3):
        raise ValueError(
            f'boxes must be (N, 4) or (B, N, 4), got {tuple(boxes.shape)}.'
        )
    if not boxes.shape[:-1] == scores.shape == labels.shape:
        raise ValueError(
            f'scores and labels need one entry per box, {tuple(boxes.shape[:-1])}, '
            f'got {tuple(scores.shape)} and {tuple(labels.shape)}.'
        )
