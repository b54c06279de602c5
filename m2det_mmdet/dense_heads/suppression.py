"""What a dense head does with its boxes, as its ``test_cfg`` says."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ..ops.kernels import Settings, check_limit, check_number

# Below every positive number of float32 that is not subnormal.
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
# Hard NMS is soft-NMS that takes all score from a box above the threshold.
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
        ValueError: If an option is unknown or cannot have its value.
    """
    check_number('score_thr', test_cfg.get('score_thr', 0))
    for name in ('nms_pre', 'max_per_img'):
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
    """Leave each image's highest scores, and minus infinity for the others.

    Args:
        scores: ``(N, A, C)``.
        limit: How many are left; all where it is not positive.
    """
    if not 0 < limit < scores.shape[1:].numel():
        return scores
    # NaN would rank first.
    best, places = scores.flatten(1).nan_to_num(nan=-torch.inf).topk(limit)
    left = torch.full_like(scores, -torch.inf, memory_format=torch.contiguous_format)
    return left.flatten(1).scatter(1, places, best).view(scores.shape)


def above(boxes: Tensor, scores: Tensor, threshold: float) -> list[InstanceData]:
    """Return the boxes of each image and class that score above a threshold."""
    image, row, label = (scores > threshold).nonzero(as_tuple=True)
    counts = image.bincount(minlength=len(boxes)).tolist()
    found = (boxes[image, row], scores[image, row, label], label)
    return [
        InstanceData(bboxes=b, scores=s, labels=classes)
        for b, s, classes in zip(*(x.split(counts) for x in found), strict=True)
    ]


def one_row_an_image(values: list[Sequence[float]], like: Tensor) -> Tensor:
    """Put one row an image beside ``like (N, A, 4)`` without waiting for its device."""
    rows = torch.tensor(values, dtype=like.dtype)
    rows = rows.pin_memory() if like.is_cuda else rows
    return rows.to(like.device, non_blocking=True)[:, None]
