"""The loss of the classes."""

from typing import Any

from mmdet.models.losses import (
    CrossEntropyLoss,
    FocalLoss,
    QualityFocalLoss,
    VarifocalLoss,
)
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from ...utils.config_checks import check_part

_SIGMOID = (FocalLoss, QualityFocalLoss, VarifocalLoss)
_OF_QUALITY = (QualityFocalLoss, VarifocalLoss)
_KNOWN = (CrossEntropyLoss, *_SIGMOID)


def build_class_loss(settings: dict[str, Any]) -> nn.Module:
    """Build a loss of classes that takes what a head predicts before its activation.

    ``CrossEntropyLoss`` goes with a softmax over the classes and the background, the
    others with a sigmoid for each class.

    Args:
        settings: Config of ``CrossEntropyLoss``, ``FocalLoss`` (`paper
            <https://arxiv.org/abs/1708.02002>`_), ``QualityFocalLoss`` (`paper
            <https://arxiv.org/abs/2006.04388>`_, section 3.1) or ``VarifocalLoss``
            (`paper <https://arxiv.org/abs/2008.13367>`_, section 3.2) of MMDetection.

    Returns:
        The loss; its ``use_sigmoid`` tells the activation.

    Raises:
        ValueError: If ``settings`` are no config, the loss is another one, or
            ``use_sigmoid``, ``use_mask`` or ``activated`` asks for another activation.
    """
    check_part('loss_cls', settings)
    kind = MODELS.get(settings['type']) if isinstance(settings['type'], str) else None
    kind = kind or settings['type']
    name = getattr(kind, '__name__', kind)
    custom = hasattr(kind, 'get_cls_channels')
    if not isinstance(kind, type) or not issubclass(kind, _KNOWN) or custom:
        known = ', '.join(x.__name__ for x in _KNOWN)
        raise ValueError(f'loss_cls.type must be one of {known}, got {name}.')
    sigmoid = issubclass(kind, _SIGMOID)
    fitting = {'use_sigmoid': sigmoid, 'use_mask': False, 'activated': False}
    for key, value in fitting.items():
        if settings.get(key, value) != value:
            activation = 'sigmoid for each class' if sigmoid else 'softmax'
            raise ValueError(
                f'loss_cls has {key}={settings[key]}, but with {name} the head '
                f'predicts scores before a {activation}: remove {key}, or choose '
                f'another of {", ".join(x.__name__ for x in _KNOWN)}.'
            )
    return MODELS.build(settings)


def learns_quality(loss: nn.Module) -> bool:
    """Whether the score that a loss teaches is the quality of the box, 0..1."""
    return isinstance(loss, _OF_QUALITY)


def class_losses(
    loss: nn.Module, scores: Tensor, labels: Tensor, positive: Tensor
) -> Tensor:
    """Return what the classes of each anchor cost.

    Args:
        loss: Made by :func:`build_class_loss`.
        scores: ``(N, anchors, classes)`` before the activation, with a softmax the
            background last.
        labels: Class of each anchor, ``(N, anchors)``; that of the background is the
            number of classes.
        positive: Score that the class of an anchor should get, 0..1 or boolean,
            ``(N, anchors)``; with a softmax it is not used.

    Returns:
        ``(N, anchors)``, the sum over the classes.
    """
    if not loss.use_sigmoid:
        return loss(scores.transpose(1, 2), labels, reduction_override='none')
    classes = scores.shape[-1]
    wanted = F.one_hot(labels, classes + 1)[..., :classes] * positive[..., None]
    losses = loss(
        scores.flatten(0, 1),
        wanted.flatten(0, 1).to(scores.dtype),
        reduction_override='none',
    )
    # QualityFocalLoss has added the classes already.
    return losses.view(*labels.shape, -1).sum(dim=-1)
