"""Sigmoid focal loss, element by element, with its gradient.

Source: `Focal Loss <https://arxiv.org/abs/1708.02002>`_, equation 5.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sigmoid_focal_loss_forward(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float,
    alpha: float,
) -> Tensor:
    """Focal loss of every class of every sample.

    Args:
        logits: Scores before the sigmoid.
        target: Class of each sample; ``C`` (or any index that is no class) for
            background.
        weight: Weight of a sample by its target class; ``None`` or empty for 1.
            Background has no entry and weighs 1.
        gamma: Exponent that reduces the loss of easy samples.
        alpha: Weight of positive elements; negative ones have ``1 - alpha``.

    Shape:
        - logits: ``(N, C)``; target: ``(N,)`` int64; weight: ``(C,)``.
        - Output: ``(N, C)``.

    Note:
        mmcv's compiled operator reads beyond the end of ``weight`` for background.
    """
    positive = _one_hot(logits, target)
    log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
    loss_positive = -alpha * (gamma * log_not_p).exp() * log_p
    loss_negative = -(1 - alpha) * (gamma * log_p).exp() * log_not_p
    loss = torch.where(positive, loss_positive, loss_negative)
    return _weighted(loss, target, weight)


def sigmoid_focal_loss_backward(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float,
    alpha: float,
) -> Tensor:
    """Derivative of :func:`sigmoid_focal_loss_forward` with respect to each logit.

    Arguments and shapes are those of the forward function.
    """
    positive = _one_hot(logits, target)
    p, not_p = logits.sigmoid(), (-logits).sigmoid()
    log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
    grad_positive = alpha * not_p**gamma * (gamma * p * log_p - not_p)
    grad_negative = (1 - alpha) * p**gamma * (p - gamma * not_p * log_not_p)
    grad = torch.where(positive, grad_positive, grad_negative)
    return _weighted(grad, target, weight)


def _one_hot(logits: Tensor, target: Tensor) -> Tensor:
    """Mask ``(N, C)`` of the target class of each sample."""
    classes = torch.arange(logits.size(1), device=logits.device)
    return target[:, None] == classes


def _weighted(values: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None or weight.numel() == 0:
        return values
    is_class = (target >= 0) & (target < len(weight))
    sample_weight = torch.where(is_class, weight[target.where(is_class, 0)], 1)
    return values * sample_weight[:, None]
