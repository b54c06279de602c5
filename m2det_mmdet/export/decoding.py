"""From the outputs of a head to boxes and scores, in a graph: a function a head."""

from collections.abc import Callable
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor

from ..models.dense_heads import M2DetHead
from .errors import ExportError

Size = tuple[int, int]
# Takes a head's outputs and the pixels (height, width) of the network's input.
Decoder = Callable[[Any, Size], tuple[Tensor, Tensor]]


def decoder_of(model: SingleStageDetector) -> Decoder:
    """Return what turns the outputs of a detector's head into boxes and scores.

    Raises:
        ExportError: If there is no such function for the head.
    """
    head = getattr(model, 'bbox_head', None)
    if isinstance(model, SingleStageDetector) and isinstance(head, M2DetHead):
        return lambda outputs, size: _of_m2det(head, outputs, size)
    kind = type(model).__name__ if head is None else type(head).__name__
    raise ExportError(
        f'{kind} cannot be exported: single-stage detectors with an M2DetHead or an '
        'ODMHead (RefineDet) can.'
    )


def _of_m2det(head: M2DetHead, outputs: Any, size: Size) -> tuple[Tensor, Tensor]:
    boxes, scores = head.decode(*outputs, size)
    return (_clipped(boxes, size) if head.clips_boxes else boxes), scores


def _clipped(boxes: Tensor, size: Size) -> Tensor:
    """Let boxes ``(N, A, 4)`` end at the border of their image."""
    height, width = (boxes.new_full((), side) for side in size)
    return boxes.clamp(min=0).minimum(torch.stack([width, height] * 2))
