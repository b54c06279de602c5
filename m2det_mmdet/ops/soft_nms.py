"""Soft-NMS: overlapping boxes lose score instead of being dropped.

Source: `Soft-NMS <https://arxiv.org/abs/1704.04503>`_. The scores are those of mmcv's
compiled operator, which runs on the CPU as well.
"""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

# In the order of the numbers by which mmcv's compiled operator calls them.
SOFT_NMS_METHODS = ('naive', 'linear', 'gaussian')
SOFT_NMS_VARIANTS = ('mmcv', 'original')


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    method: str = 'linear',
    offset: int = 0,
    max_num: int = -1,
) -> tuple[Tensor, Tensor]:
    """Soft-NMS over boxes of one class, with the results of mmcv's operator.

    The best box is taken, the scores of all others decay with their overlap with
    it, those that fall below ``min_score`` are dropped; repeat.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels; finite.
        scores: One score a box; finite.
        iou_threshold: Overlap from which ``naive`` and ``linear`` act (``>=``).
        sigma: Width of ``gaussian``: the factor is ``exp(-iou**2 / sigma)``.
        min_score: Boxes below it are dropped, except the very best one, which
            mmcv returns whatever its score.
        method: ``naive`` (factor 0), ``linear`` (``1 - iou``) or ``gaussian``.
        offset: Added to widths and heights; 1 where ``x2, y2`` are the last pixel
            inside the box.
        max_num: Stop after so many boxes; no limit where it is not positive.

    Shape:
        - boxes: ``(N, 4)``; scores: ``(N,)``.
        - Output: ``dets (K, 5)`` as ``x1, y1, x2, y2, score``, best score first,
          and ``keep (K,)``, int64 indices into the input.

    Raises:
        ValueError: If ``method`` is unknown.

    Note:
        Equal scores come in mmcv's order, which follows from its swaps. No
        gradient passes. A pair of boxes of zero area overlaps by 0.
    """
    _check('method', method, SOFT_NMS_METHODS)
    # One column a box: x1, y1, x2, y2, area, score. Columns are swapped as mmcv's
    # in-place loop does, so that the boxes in play stay next to each other.
    table = _table(boxes, scores, offset)
    start, end = 0, table.shape[1]
    index = np.arange(end)
    limit = max_num if max_num > 0 else end
    while start < min(end, limit):
        best = start + int(table[5, start:end].argmax())
        table[:, [start, best]] = table[:, [best, start]]
        index[[start, best]] = index[[best, start]]
        rest = table[:, start + 1 : end]
        iou = _iou(table[:, start], rest, offset)
        rest[5] *= _decay(iou, method, iou_threshold, sigma)
        alive = ~(rest[5] < min_score)
        start += 1
        end = start + _fill_holes(alive, table[:, start:end], index[start:end])
    return _result(boxes, table[5, :start], index[:start])


def batched_soft_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    method: str = 'linear',
    offset: int = 0,
    variant: str = 'mmcv',
    max_per_class: int = -1,
    max_num: int = -1,
) -> tuple[Tensor, Tensor]:
    """Soft-NMS in which only boxes of one class act on each other.

    Takes the best box of all classes, lets its own class decay and repeats, so
    that ``max_num`` ends the work after as many boxes. Coordinates are not shifted
    by class, hence lose no precision.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, pixels. Boxes with a NaN or infinite
            coordinate are left out.
        scores: One score a box. NaN and infinite ones are left out.
        labels: Class of each box, any integers.
        iou_threshold: As for :func:`soft_nms`.
        sigma: As for :func:`soft_nms`.
        min_score: No box with a lower score is returned; but see ``variant``.
        method: As for :func:`soft_nms`.
        offset: As for :func:`soft_nms`.
        variant: ``mmcv``, or ``original``: the code of Soft-NMS's authors, which
            M2Det's release uses. There ``naive`` and ``linear`` act above the
            threshold only (``>``), and a box that overlaps no better one stays
            even if it is below ``min_score``.
        max_per_class: Number of boxes of each class; no limit where it is not
            positive.
        max_num: Number of boxes over all classes; no limit where it is not positive.

    Shape:
        - boxes: ``(N, 4)``; scores and labels: ``(N,)``.
        - Output: ``dets (K, 5)`` as ``x1, y1, x2, y2, score``, best score first,
          and ``keep (K,)``, int64 indices into the input.

    Raises:
        ValueError: If ``method`` or ``variant`` is unknown, another option is no
            number, ``iou_threshold`` lies outside 0 and 1, ``sigma`` is not positive,
            or a limit is no whole number.

    Note:
        Unlike :func:`soft_nms`, a class whose best box is below ``min_score``
        gives nothing. Equal scores come in input order.
    """
    _check('method', method, SOFT_NMS_METHODS)
    _check('variant', variant, SOFT_NMS_VARIANTS)
    _check_numbers(iou_threshold, sigma, min_score=min_score, offset=offset)
    _check_limits(max_per_class=max_per_class, max_num=max_num)
    strict = variant == 'original'
    finite = (boxes.isfinite().all(1) & scores.isfinite()).nonzero().flatten()
    table = _table(boxes[finite], scores[finite], offset)
    _, group = np.unique(labels[finite].cpu().numpy(), return_inverse=True)
    # Boxes that are picked or dropped stand at minus infinity.
    current = table[5].copy()
    if not strict:
        current[current < min_score] = -np.inf

    def weaken(best: int, rest: np.ndarray) -> None:
        iou = _iou(table[:, best], table[:, rest], offset)
        weaker = current[rest] * _decay(iou, method, iou_threshold, sigma, strict)
        current[rest] = np.where((iou > 0) & (weaker < min_score), -np.inf, weaker)

    picks = _picks(current, group, weaken, max_per_class)
    picked = []
    for best, score in islice(picks, max_num if max_num > 0 else None):
        table[5, best] = score
        picked.append(best)
    return _result(boxes, table[5, picked], finite.cpu().numpy()[picked])


def _picks(
    current: np.ndarray,
    group: np.ndarray,
    weaken: Callable[[int, np.ndarray], None],
    max_per_group: int,
) -> Iterator[tuple[int, float]]:
    """Pick the best box of all, weaken the others of its group, and repeat.

    Args:
        current: Scores ``(N,)``, minus infinity where not in play; changed in place.
        group: Group of each box, ``(N,)``, from 0.
        weaken: Lowers the scores of the boxes ``rest`` beside the box ``best``.
        max_per_group: Boxes of a group; no limit where it is not positive.

    Yields:
        Index and score of each box.
    """
    members = [np.flatnonzero(group == i) for i in range(group.max(initial=-1) + 1)]
    rooms = [max_per_group] * len(members)
    for _ in range(len(current)):
        best = int(current.argmax())
        if current[best] == -np.inf:
            return
        yield best, current[best]
        current[best] = -np.inf
        label = group[best]
        rest = members[label]
        rest = rest[current[rest] > -np.inf]
        members[label] = rest
        rooms[label] -= 1
        if rooms[label] == 0:
            current[rest] = -np.inf
        else:
            weaken(best, rest)


def _check(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, got {value!r}.')


def _check_numbers(iou_threshold: float, sigma: float, **others: float) -> None:
    numbers = {'iou_threshold': iou_threshold, 'sigma': sigma, **others}
    for name, number in numbers.items():
        if not isinstance(number, Real) or math.isnan(number):
            raise ValueError(f'{name} must be a number, got {number!r}.')
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f'iou_threshold must be from 0 to 1, got {iou_threshold}.')
    if sigma <= 0:
        raise ValueError(f'sigma must be positive, got {sigma}.')


def _check_limits(**limits: int) -> None:
    for name, limit in limits.items():
        if not isinstance(limit, Integral) or isinstance(limit, bool):
            raise ValueError(f'{name} must be a whole number, got {limit!r}.')


def _table(boxes: Tensor, scores: Tensor, offset: int) -> np.ndarray:
    """Fresh ``(6, N)`` array of rows x1, y1, x2, y2, area, score."""
    dtype = torch.promote_types(boxes.dtype, torch.float32)
    x1, y1, x2, y2 = boxes.detach().to(dtype).unbind(1)
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    rows = torch.stack((x1, y1, x2, y2, area, scores.detach().to(dtype)))
    return rows.cpu().numpy()


def _iou(box: np.ndarray, others: np.ndarray, offset: int) -> np.ndarray:
    """Overlap ``(M,)`` of one column of the table with ``M`` others."""
    width = np.minimum(box[2], others[2]) - np.maximum(box[0], others[0]) + offset
    height = np.minimum(box[3], others[3]) - np.maximum(box[1], others[1]) + offset
    inter = width.clip(min=0) * height.clip(min=0)
    union = box[4] + others[4] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def _decay(
    iou: np.ndarray,
    method: str,
    iou_threshold: float,
    sigma: float,
    strict: bool = False,
) -> np.ndarray:
    """Factor on the score for each overlap."""
    if method == 'gaussian':
        return np.exp(-(iou * iou) / sigma)
    weaker = 0 if method == 'naive' else 1 - iou
    acts = iou > iou_threshold if strict else iou >= iou_threshold
    return np.where(acts, weaker, 1).astype(iou.dtype, copy=False)


def _fill_holes(alive: np.ndarray, table: np.ndarray, index: np.ndarray) -> int:
    """Move living columns from the end into the places of dead ones.

    Returns:
        Number of living columns, which now come first.
    """
    count = int(alive.sum())
    holes = np.flatnonzero(~alive[:count])
    fillers = count + np.flatnonzero(alive[count:])[::-1]
    table[:, holes] = table[:, fillers]
    index[holes] = index[fillers]
    return count


def _result(
    boxes: Tensor, scores: np.ndarray, keep: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Detections on the device and in the dtype of the given boxes."""
    keep = torch.from_numpy(keep).to(boxes.device)
    scores = torch.from_numpy(scores).to(boxes)
    return torch.cat((boxes.detach()[keep], scores[:, None]), dim=1), keep
