"""How a dense head selects its boxes, by its ``test_cfg``."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ...ops import batched_soft_nms, multiclass_soft_nms
from ...ops.kernels import Settings, check_limit, check_number
from ...utils.symbolic import is_symbolic

# Below every normal positive number of float32.
_SMALLEST = 1.2e-38

_OPTIONS = {
    'soft_nms': (
        'iou_threshold',
        'sigma',
        'min_score',
        'method',
        'offset',
        'variant',
        'max_per_class',
        'class_agnostic',
    ),
    'nms': ('iou_threshold', 'offset', 'max_per_class', 'class_agnostic'),
}
# Hard NMS is soft-NMS that sets the score of a box above the threshold to zero.
_PRESETS = {
    'soft_nms': {},
    'nms': {'method': 'naive', 'variant': 'original', 'min_score': _SMALLEST},
}


def suppression_options(nms: dict[str, Any]) -> dict[str, Any]:
    """Translate ``test_cfg.nms`` to options of :func:`~..ops.multiclass_soft_nms`.

    Args:
        nms: ``type``, ``soft_nms`` or ``nms``, and its options.

    Raises:
        ValueError: If the type or an option is unknown.
    """
    if not isinstance(nms, dict):
        raise ValueError(
            f"nms must be a dict such as dict(type='soft_nms'), got {nms!r}."
        )
    options = dict(nms)
    kind = options.pop('type', None)
    if kind not in _OPTIONS:
        raise ValueError(f'nms.type must be one of {tuple(_OPTIONS)}, got {kind!r}.')
    unknown = sorted(set(options) - set(_OPTIONS[kind]))
    if unknown:
        raise ValueError(
            f'{kind} has no option {", ".join(unknown)}; it has '
            f'{", ".join(_OPTIONS[kind])}, and max_per_img limits the boxes.'
        )
    if kind == 'nms' and 'iou_threshold' not in options:
        raise ValueError(
            "nms needs an iou_threshold: nms=dict(type='nms', iou_threshold=0.45)."
        )
    return {**_PRESETS[kind], **options}


def check_suppression(test_cfg: dict[str, Any]) -> None:
    """Check a head's ``test_cfg``.

    Raises:
        ValueError: If an option is unknown or its value is not valid.
    """
    check_number('score_thr', test_cfg.get('score_thr', 0))
    for name in ('nms_pre', 'nms_pre_per_class', 'max_per_img'):
        check_limit(name, test_cfg.get(name, -1))
    nms = test_cfg.get('nms')
    if not nms:
        return
    options = suppression_options(nms)
    agnostic = options.pop('class_agnostic', False)
    if not isinstance(agnostic, bool):
        raise ValueError(f'class_agnostic must be True or False, got {agnostic!r}.')
    Settings(**options)


def strongest(scores: Tensor, limit: int) -> Tensor:
    """Keep each image's highest scores; the others become minus infinity.

    Of equal scores the first ones are kept, on any device and in any exported file.

    Args:
        scores: ``(N, A, C)``.
        limit: Number of scores to keep; all if it is not positive.
    """
    # `torch.Size.numel` would fix the size of an exported graph.
    limit = _at_most(limit, scores.shape[1] * scores.shape[2])
    if limit is None:
        return scores
    # NaN would rank first.
    rows = scores.flatten(1).nan_to_num(nan=-torch.inf)
    last = rows.topk(limit).values[:, -1:]
    higher, equal = rows > last, rows == last
    # Which of equal scores a topk takes differs from one library to the next.
    room = limit - higher.sum(dim=1, keepdim=True)
    kept = higher | (equal & (equal.long().cumsum(dim=1) <= room))
    return rows.masked_fill(~kept, -torch.inf).view(scores.shape)


def strongest_of_classes(scores: Tensor, limit: int) -> Tensor:
    """Keep the highest scores of each class of an image, as :func:`strongest` does."""
    limit = _at_most(limit, scores.shape[1])
    if limit is None:
        return scores
    by_class = scores.transpose(1, 2)
    left = strongest(by_class.flatten(0, 1)[..., None], limit)
    return left.view(by_class.shape).transpose(1, 2)


def _at_most(limit: int, count: int) -> int | None:
    """Return a limit of ``count`` scores; ``None`` if all are kept."""
    if isinstance(limit, int) and limit <= 0:
        return None
    if is_symbolic([count]):
        return torch.sym_min(limit, count)
    return limit if limit < count else None


def above(boxes: Tensor, scores: Tensor, threshold: float) -> list[InstanceData]:
    """Return the boxes of each image and class that score above a threshold."""
    image, row, label = (scores > threshold).nonzero(as_tuple=True)
    counts = image.bincount(minlength=len(boxes)).tolist()
    found = (boxes[image, row], scores[image, row, label], label)
    return [
        InstanceData(bboxes=b, scores=s, labels=classes)
        for b, s, classes in zip(*(x.split(counts) for x in found), strict=True)
    ]


def select(
    boxes: Tensor, scores: Tensor, test_cfg: dict[str, Any], *, with_nms: bool = True
) -> list[InstanceData]:
    """Select the detections of each image.

    Args:
        boxes: ``(N, A, 4)``, xyxy.
        scores: ``(N, A, C)``.
        test_cfg: The ``test_cfg`` of a head.
        with_nms: Whether to suppress overlapping boxes.

    Returns:
        For each image ``bboxes`` ``(K, 4)``, ``scores`` ``(K,)`` (descending if boxes
        were suppressed) and ``labels`` ``(K,)``.
    """
    scores = strongest_of_classes(scores, test_cfg.get('nms_pre_per_class', -1))
    scores = strongest(scores, test_cfg.get('nms_pre', -1))
    threshold = test_cfg.get('score_thr', 0)
    if not with_nms or not test_cfg.get('nms'):
        return above(boxes, scores, threshold)
    dets, labels, _ = multiclass_soft_nms(
        boxes,
        scores,
        score_thr=threshold,
        max_num=test_cfg.get('max_per_img', -1),
        **suppression_options(test_cfg['nms']),
    )
    counts = (labels >= 0).sum(dim=1).tolist()
    return [
        InstanceData(bboxes=found[:k, :4], scores=found[:k, 4], labels=classes[:k])
        for found, classes, k in zip(dets, labels, counts, strict=True)
    ]


def suppress(detections: InstanceData, test_cfg: dict[str, Any]) -> InstanceData:
    """Suppress overlapping boxes of equal class as ``test_cfg.nms`` says.

    Args:
        detections: ``bboxes``, ``scores`` and ``labels`` of an image.
        test_cfg: The ``test_cfg`` of a head.

    Returns:
        The remaining boxes by descending score, at most ``test_cfg.max_per_img``.
    """
    if not test_cfg.get('nms'):
        return detections
    options = suppression_options(test_cfg['nms'])
    agnostic = options.pop('class_agnostic', False)
    labels = detections.labels
    dets, keep = batched_soft_nms(
        detections.bboxes,
        detections.scores,
        torch.zeros_like(labels) if agnostic else labels,
        max_num=test_cfg.get('max_per_img', -1),
        **options,
    )
    kept = detections[keep]
    kept.scores = dets[:, 4]
    return kept


def row_per_image(values: list[Sequence[float]], like: Tensor) -> Tensor:
    """Move one row for each image to the device of ``like``, without waiting for it.

    Args:
        values: Four numbers for each image.
        like: Boxes ``(N, A, 4)``.

    Returns:
        ``(N, 1, 4)``, in the dtype of ``like``.
    """
    rows = torch.tensor(values, dtype=like.dtype)
    rows = rows.pin_memory() if like.is_cuda else rows
    return rows.to(like.device, non_blocking=True)[:, None]
