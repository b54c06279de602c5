"""MMDetection's assigners: what each asks of a head."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.task_modules.assigners import (
    AssignResult,
    ATSSAssigner,
    BaseAssigner,
    DynamicSoftLabelAssigner,
    MaxIoUAssigner,
    SimOTAAssigner,
    TaskAlignedAssigner,
)
from torch import Tensor

from .strides import Size

PROBABILITIES, LOGITS = 'probabilities', 'logits'


class Needs(NamedTuple):
    """What an assigner needs besides the anchors and the objects of an image.

    Attributes:
        lengths: Whether it needs the number of anchors of each scale.
        points: Whether it takes centres and strides in place of anchors.
        scores: Whether it needs predicted boxes and their scores, and which:
            ``'probabilities'``, or ``'logits'`` before a sigmoid; ``None`` for none.
        options: Keys of ``train_cfg`` that it is called with.
    """

    lengths: bool = False
    points: bool = False
    scores: str | None = None
    options: tuple[str, ...] = ()


_NEEDS = {
    MaxIoUAssigner: Needs(),
    ATSSAssigner: Needs(lengths=True),
    SimOTAAssigner: Needs(points=True, scores=PROBABILITIES),
    TaskAlignedAssigner: Needs(scores=PROBABILITIES, options=('alpha', 'beta')),
    DynamicSoftLabelAssigner: Needs(points=True, scores=LOGITS),
}


def needs_of(assigner: Any, *, sigmoid: bool) -> Needs:
    """Return what an assigner needs.

    One of another package that derives from none of MMDetection's gets what
    ``MaxIoUAssigner`` gets.

    Args:
        assigner: An assigner.
        sigmoid: Whether the scores of the head go through a sigmoid; otherwise a
            softmax.

    Raises:
        ValueError: If the assigner needs something else, or scores of a sigmoid where
            there is a softmax.
    """
    name = type(assigner).__name__
    for kind in type(assigner).__mro__:
        if kind in _NEEDS:
            needs = _NEEDS[kind]
            break
        if kind.__module__.startswith('mmdet.') and kind is not BaseAssigner:
            raise ValueError(
                f'train_cfg.assigner is {name}, which needs more than a head with '
                'anchors has (anchors, scores and boxes of each, numbers of anchors): '
                f'use one of {", ".join(x.__name__ for x in _NEEDS)}.'
            )
    else:
        needs = Needs()
    # ATSS with the cost of DDOD.
    if needs.lengths and getattr(assigner, 'alpha', None) is not None:
        needs = needs._replace(scores=LOGITS)
    if needs.scores == LOGITS and not sigmoid:
        raise ValueError(
            f'train_cfg.assigner is {name}, which needs scores of a sigmoid, but the '
            'scores of the head go through the softmax of CrossEntropyLoss: use '
            'another loss_cls, such as QualityFocalLoss, or another assigner.'
        )
    return needs


def centres(
    anchors: Tensor,
    lengths: Sequence[int],
    featmap_sizes: Sequence[Size],
    image_size: Size,
) -> Tensor:
    """Return the centre of each anchor and the stride of its scale.

    Args:
        anchors: ``(N, A, 4)``, xyxy in pixels.
        lengths: Number of anchors of each scale.
        featmap_sizes: Cells ``(height, width)`` of each scale's map.
        image_size: Pixels ``(height, width)`` of the network's input.

    Returns:
        ``(N, A, 4)``: x, y, horizontal and vertical pixels for each cell.
    """
    strides = anchors.new_tensor(
        [
            [pixels / count for pixels, count in zip(image_size, cells, strict=True)]
            for cells in featmap_sizes
        ]
    ).flip(-1)
    strides = strides.repeat_interleave(strides.new_tensor(lengths).long(), dim=0)
    middle = (anchors[..., :2] + anchors[..., 2:]) / 2
    return torch.cat([middle, strides.expand_as(middle)], dim=-1)


def alignment(result: AssignResult, places: Tensor) -> Tensor | None:
    """Return how good matches are that ``TaskAlignedAssigner`` made.

    The metric of each match is scaled so that the best match of an object has the
    largest IoU of all its matches: `TOOD <https://arxiv.org/abs/2108.07755>`_, section
    3.2.

    Args:
        result: Of an assigner.
        places: Indices of matches, ``(P,)``.

    Returns:
        ``(P,)``, 0..1; ``None`` for another assigner.
    """
    metrics = getattr(result, 'assign_metrics', None)
    if metrics is None:
        return None
    objects = result.gt_inds[places]
    metrics, overlaps = metrics[places], result.max_overlaps[places]
    best = [
        values.new_zeros(result.num_gts + 1).scatter_reduce(0, objects, values, 'amax')
        for values in (metrics, overlaps)
    ]
    largest, overlap = (values[objects] for values in best)
    return metrics / largest.clamp(min=torch.finfo(metrics.dtype).tiny) * overlap
