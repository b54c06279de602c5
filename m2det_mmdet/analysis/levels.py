"""How much each level of MLFPN gives to a score.

The scores of :class:`.M2DetHead` are a convolution of the pyramid's maps, whose
channels are those of one level after the other. So a score is a sum: what the channels
of each level give to it, after SFAM has weighed them, and a constant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from mmdet.models.detectors import BaseDetector
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..models.dense_heads import M2DetHead, ODMHead
from ..models.necks import MLFPN
from ..models.utils import flatten_maps
from ..utils.errors import M2DetError

# Sums over the channels that they get, and a constant.
_AFFINE = (nn.Conv2d, _BatchNorm, nn.Identity)


class LevelsError(M2DetError):
    """The scores of a detector cannot be split into what its levels give."""


@dataclass(frozen=True)
class LevelScores:
    """The scores of each anchor, before the activation, and what makes them.

    Attributes:
        scores: ``(N, A, C)``; with a softmax the background is the last class.
        parts: What each level gives to them, ``(levels, N, A, C)``.
        constant: The scores of a pyramid of zeros, ``(N, A, C)``.
        weights: By what SFAM multiplies the channels of a level, the mean of each level
            and scale, ``(N, levels, scales)``.
        sigmoid: Whether scores go through a sigmoid; otherwise a softmax.
        outputs: What the head's ``forward`` gives.
        sizes: Cells ``(height, width)`` of each scale.
    """

    scores: Tensor
    parts: Tensor
    constant: Tensor
    weights: Tensor
    sigmoid: bool
    outputs: tuple[list[Tensor], ...]
    sizes: list[tuple[int, int]]

    @property
    def evidence(self) -> Tensor:
        """What each level gives for a class, ``(levels, N, A, classes)``.

        With a softmax a class competes with the background: what a level gives to that
        one is subtracted.
        """
        return (
            self.parts if self.sigmoid else self.parts[..., :-1] - self.parts[..., -1:]
        )


def check_levels(model: BaseDetector) -> None:
    """Raise where the scores of a detector are no sum over levels.

    Raises:
        LevelsError: If the detector is no ``MLFPN`` with a ``M2DetHead`` right behind
            it.
    """
    neck, head = getattr(model, 'neck', None), getattr(model, 'bbox_head', None)
    if not isinstance(neck, MLFPN):
        raise LevelsError(f'{_kind(neck, "neck")} has no levels; MLFPN has.')
    # RefineDet's second head moves what a first one gives.
    if not isinstance(head, M2DetHead) or isinstance(head, ODMHead):
        raise LevelsError(
            f'Scores of {_kind(head, "bbox_head")} are no sum over the levels of '
            'MLFPN; those of M2DetHead are.'
        )
    for layer in _layers(
        neck.norm, neck.projections, head.cls_convs, head.shared_convs
    ):
        if not isinstance(layer, _AFFINE):
            raise LevelsError(
                f'{type(layer).__name__} stands between the levels and the scores, '
                'which are no sum over the levels then.'
            )


@torch.no_grad()
def split_levels(model: BaseDetector, images: Tensor) -> LevelScores:
    """Split the scores of a detector into what each level gives.

    Args:
        model: A detector for which :func:`check_levels` passes, in the mode of a test.
        images: ``(N, 3, H, W)``, as its data preprocessor gives them.

    Raises:
        LevelsError: As :func:`check_levels`.
    """
    check_levels(model)
    neck, head = model.neck, model.bbox_head
    seen: list[tuple[Sequence, Sequence[Tensor]]] = []

    def see(_: nn.Module, levels: tuple, gathered: tuple[Tensor, ...]) -> None:
        seen.append((levels[0], gathered))

    hook = neck.aggregation.register_forward_hook(see)
    try:
        maps = model.extract_feat(images)
    finally:
        hook.remove()
    levels, gathered = seen[0]

    def scores_of(pyramid: Sequence[Tensor]) -> Tensor:
        """Scores ``(N, A, C)`` of what SFAM gives."""
        maps = neck.project(pyramid)
        scores = [conv(x) for conv, x in zip(head.cls_convs, maps, strict=True)]
        return flatten_maps(scores, head.cls_out_channels)

    constant = scores_of([torch.zeros_like(x) for x in gathered])
    parts = []
    for level in range(len(neck.tums)):
        start = level * neck.level_channels
        kept = slice(start, start + neck.level_channels)
        alone = [torch.zeros_like(x) for x in gathered]
        for own, x in zip(alone, gathered, strict=True):
            own[:, kept] = x[:, kept]
        parts.append(scores_of(alone) - constant)
    weights = [
        x.unflatten(1, (len(parts), -1)).mean(dim=-1)
        for x in neck.aggregation.weights(levels)
    ]
    outputs = head(maps)
    return LevelScores(
        scores=flatten_maps(outputs[0], head.cls_out_channels),
        parts=torch.stack(parts),
        constant=constant,
        weights=torch.stack(weights, dim=-1),
        sigmoid=head.use_sigmoid_cls,
        outputs=outputs,
        sizes=[tuple(x.shape[-2:]) for x in maps],
    )


def _kind(part: nn.Module | None, name: str) -> str:
    return f'a detector without a {name}' if part is None else type(part).__name__


def _layers(*parts: nn.Module | None) -> Iterator[nn.Module]:
    """Yield the modules without others in them, but for lists of none."""
    for part in parts:
        for module in () if part is None else part.modules():
            is_list = isinstance(module, nn.ModuleList | nn.Sequential)
            if not is_list and not [*module.children()]:
                yield module
