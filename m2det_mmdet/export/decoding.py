"""From the outputs of a head to boxes and scores, in a graph: a function a head."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.dense_heads import GFLHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from ..models.dense_heads import M2DetHead
from ..models.utils.rows import flatten_maps
from .errors import ExportError

Size = tuple[int, int]
# What a head of MMDetection must have inherited to select its boxes as RetinaNet does.
_INHERITED = ('predict', 'predict_by_feat', '_bbox_post_process')


class Decoded(NamedTuple):
    """A box and scores of each anchor.

    Attributes:
        boxes: ``(N, A, 4)``, xyxy in pixels of the network's input.
        scores: ``(N, A, C)``, 0..1.
        ranks: The scores that a threshold and a limit of candidates hold for, a tensor
            ``(N, A_i, C)`` for each level, which each has that limit of its own;
            ``None``: they hold for ``scores``, over all levels together.
    """

    boxes: Tensor
    scores: Tensor
    ranks: tuple[Tensor, ...] | None = None


# Takes a head's outputs and the pixels (height, width) of the network's input.
Decoder = Callable[[Any, Size], Decoded]


def decoder_of(model: Any) -> Decoder:
    """Return what turns the outputs of a detector's head into boxes and scores.

    Raises:
        ExportError: If there is no such function for the detector.
    """
    head = getattr(model, 'bbox_head', None)
    if isinstance(model, SingleStageDetector):
        if isinstance(head, M2DetHead):
            return lambda outputs, size: _of_m2det(head, outputs, size)
        if _selects_as_mmdet(head):
            return lambda outputs, size: _of_mmdet(head, outputs, size)
    is_head = isinstance(model, SingleStageDetector) and head is not None
    raise ExportError(
        f'{type(head if is_head else model).__name__} cannot be exported: single-stage '
        'detectors with an M2DetHead, an ODMHead (RefineDet), or a head of MMDetection '
        'that selects its boxes as those of RetinaNet, ATSS, GFL, FCOS and SSD can.'
    )


def num_ranks(model: SingleStageDetector) -> int:
    """Return how many tensors :attr:`Decoded.ranks` of a detector has."""
    head = model.bbox_head
    return head.prior_generator.num_levels if _selects_as_mmdet(head) else 0


def _of_m2det(head: M2DetHead, outputs: Any, size: Size) -> Decoded:
    boxes, scores = head.decode(*outputs, size)
    return Decoded(_clipped(boxes, size) if head.clips_boxes else boxes, scores)


def _selects_as_mmdet(head: Any) -> bool:
    """Whether a head selects its boxes by the code that :func:`_of_mmdet` follows."""
    kind = type(head)
    singles = [x._predict_by_feat_single for x in (BaseDenseHead, GFLHead)]
    return (
        isinstance(head, BaseDenseHead)
        and all(getattr(kind, x) is getattr(BaseDenseHead, x) for x in _INHERITED)
        and kind._predict_by_feat_single in singles
        and not getattr(head.loss_cls, 'custom_cls_channels', False)
    )


def _of_mmdet(head: BaseDenseHead, outputs: Any, size: Size) -> Decoded:
    """Decode as :meth:`mmdet.models.dense_heads.BaseDenseHead.predict_by_feat`."""
    maps, deltas, *factors = outputs
    priors = head.prior_generator.grid_priors(
        [tuple(x.shape[-2:]) for x in maps], dtype=maps[0].dtype, device=maps[0].device
    )
    priors = torch.cat([get_box_tensor(x) for x in priors])
    if isinstance(head, GFLHead):
        priors, deltas = head.anchor_center(priors), _distances(head, deltas)
    else:
        deltas = flatten_maps(deltas, head.bbox_coder.encode_size)
    priors = priors.expand(deltas.shape[0], -1, -1)
    boxes = head.bbox_coder.decode(priors.flatten(0, 1), deltas.flatten(0, 1))
    boxes = get_box_tensor(boxes).view(deltas.shape)
    ranks = tuple(_probabilities(head, x) for x in maps)
    scores = torch.cat(ranks, dim=1)
    # Centerness, or the like.
    for factor in factors:
        scores = scores * flatten_maps(factor, 1).sigmoid()
    clips = getattr(head.bbox_coder, 'clip_border', True)
    return Decoded(_clipped(boxes, size) if clips else boxes, scores, ranks)


def _probabilities(head: BaseDenseHead, scores: Tensor) -> Tensor:
    """Return the scores ``(N, A, C)``, 0..1, of a level's map of them."""
    rows = flatten_maps([scores], head.cls_out_channels)
    if head.use_sigmoid_cls:
        return rows.sigmoid()
    return rows.softmax(dim=-1)[..., :-1]


def _distances(head: GFLHead, maps: Sequence[Tensor]) -> Tensor:
    """Return the pixels ``(N, A, 4)`` from a point to the sides of its box."""
    channels = 4 * (head.reg_max + 1)
    return torch.cat(
        [
            head.integral(rows).view(*rows.shape[:2], 4) * stride
            for rows, (stride, _) in zip(
                [flatten_maps([x], channels) for x in maps],
                head.prior_generator.strides,
                strict=True,
            )
        ],
        dim=1,
    )


def _clipped(boxes: Tensor, size: Size) -> Tensor:
    """Let boxes ``(N, A, 4)`` end at the border of their image."""
    height, width = (boxes.new_full((), side) for side in size)
    return boxes.clamp(min=0).minimum(torch.stack([width, height] * 2))
