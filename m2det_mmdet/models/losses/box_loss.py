"""The loss of the boxes."""

from collections.abc import Mapping
from typing import Any

from mmdet.models.losses import (
    BalancedL1Loss,
    BoundedIoULoss,
    CIoULoss,
    DIoULoss,
    EIoULoss,
    GIoULoss,
    IoULoss,
    L1Loss,
    SmoothL1Loss,
)
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...utils.config_checks import check_part

_OF_CODES = (SmoothL1Loss, L1Loss, BalancedL1Loss)
_OF_BOXES = (IoULoss, BoundedIoULoss, GIoULoss, DIoULoss, CIoULoss, EIoULoss)


def build_box_loss(
    settings: dict[str, Any] | None, smoothl1_beta: float | None = None
) -> nn.Module:
    """Build a loss of boxes.

    Args:
        settings: Config of a loss of MMDetection: ``SmoothL1Loss``, ``L1Loss`` or
            ``BalancedL1Loss`` of encoded boxes; ``IoULoss``, ``BoundedIoULoss``,
            ``GIoULoss``, ``DIoULoss``, ``CIoULoss`` or ``EIoULoss`` of boxes in pixels.
            ``None``: ``SmoothL1Loss``.
        smoothl1_beta: ``beta`` of ``SmoothL1Loss`` where ``settings`` give none.

    Raises:
        ValueError: If ``settings`` are no config, the loss is another one, or has
            another ``beta`` than ``smoothl1_beta``.
    """
    settings = {} if settings is None else settings
    if isinstance(settings, Mapping):
        settings = {'type': 'SmoothL1Loss', **settings}
    check_part('loss_bbox', settings)
    loss = MODELS.build(settings)
    if not isinstance(loss, (*_OF_CODES, *_OF_BOXES)):
        known = ', '.join(x.__name__ for x in (*_OF_CODES, *_OF_BOXES))
        raise ValueError(
            f'loss_bbox.type must be one of {known}, got {type(loss).__name__}.'
        )
    if smoothl1_beta is None or not isinstance(loss, SmoothL1Loss):
        return loss
    if settings.get('beta', smoothl1_beta) != smoothl1_beta:
        raise ValueError(
            f'loss_bbox has beta={loss.beta}, but train_cfg has smoothl1_beta='
            f'{smoothl1_beta}: give one of them, and None for the other.'
        )
    loss.beta = smoothl1_beta
    return loss


def learns_decoded_boxes(loss: nn.Module, reg_decoded_bbox: bool | None) -> bool:
    """Whether a loss compares boxes in pixels, not their encodings.

    Args:
        loss: Made by :func:`build_box_loss`.
        reg_decoded_bbox: What a config says; ``None`` for nothing.

    Raises:
        ValueError: If the config says otherwise.
    """
    decoded = isinstance(loss, _OF_BOXES)
    if reg_decoded_bbox not in (None, decoded):
        boxes = 'boxes in pixels' if decoded else 'encoded boxes'
        raise ValueError(
            f'{type(loss).__name__} of loss_bbox learns {boxes}: remove '
            f'reg_decoded_bbox={reg_decoded_bbox}.'
        )
    return decoded


def box_loss(loss: nn.Module, found: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Return what boxes cost together.

    Args:
        loss: Made by :func:`build_box_loss`.
        found: Encoded boxes, or boxes xyxy in pixels, as the loss compares them,
            ``(P, 4)``.
        wanted: What they should be, ``(P, 4)``.
        weights: Weight of each box, ``(P,)``.

    Returns:
        The sum over the boxes: of four numbers each, or of one that is made of an IoU.
    """
    weights = weights[:, None].expand_as(found).to(found.dtype)
    return loss(found, wanted, weights, reduction_override='sum')
