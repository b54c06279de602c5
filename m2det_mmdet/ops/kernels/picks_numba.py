"""Soft-NMS on the CPU: loops that numba compiles once and keeps on disk.

Boxes of one class lie next to each other. A step picks the best box of all classes and
weakens the others of its class. The loop ends after the wanted number of picks, so that
it computes no more than needed.
"""

import logging
from typing import NamedTuple

import numpy as np
import torch
from numba.core.errors import NumbaError
from torch import Tensor

from ..failures import is_out_of_memory, reason_of
from ..options import Settings
from .numba_cache import compiled, forget_files

_NAIVE, _LINEAR = 0, 1
_NONE = -1


class _Rule(NamedTuple):
    """Settings for the compiled loops, with numbers in the dtype of the boxes."""

    iou_threshold: np.floating
    sigma: np.floating
    min_score: np.floating
    offset: np.floating
    method: int
    original: bool
    room: int


def picks(
    boxes: Tensor, scores: Tensor, labels: Tensor, settings: Settings, limit: int
) -> tuple[Tensor, Tensor]:
    """Pick boxes; arguments and results as in :func:`.picks_torch.picks`."""
    number = boxes.numpy().dtype.type
    rule = _Rule(
        number(settings.iou_threshold),
        number(settings.sigma),
        number(settings.min_score),
        number(settings.offset),
        settings.code,
        settings.original,
        settings.room(scores.shape[1]),
    )
    kept_scores = np.full((len(scores), limit), -np.inf, dtype=number)
    kept_rows = np.full((len(scores), limit), _NONE)
    order = labels.argsort(dim=1, stable=True)
    batch = [x.contiguous().numpy() for x in (boxes, scores, labels, order)]
    _run(*batch, kept_scores, kept_rows, rule)
    return torch.from_numpy(kept_scores), torch.from_numpy(kept_rows)


def _run(*arguments: np.ndarray | _Rule) -> None:
    """Run the loops; if their files on disk cannot be used, compile them in memory."""
    try:
        _pick_batch(*arguments)
    # A damaged file may raise anything.
    except Exception as error:
        if isinstance(error, NumbaError) or is_out_of_memory(error):
            raise
        for function in (_pick_batch, _pick, _gather, _first, _weaken):
            forget_files(function)
        _pick_batch(*arguments)
        logging.getLogger('m2det_mmdet').warning(
            'The compiled loops of soft-NMS cannot be kept on disk or read from there '
            '(%s): they are compiled for this process only.',
            reason_of(error),
        )


@compiled
def _pick_batch(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    kept_scores: np.ndarray,
    kept_rows: np.ndarray,
    rule: _Rule,
) -> None:
    for i in range(len(scores)):
        _pick(
            boxes[i],
            scores[i],
            labels[i],
            order[i],
            kept_scores[i],
            kept_rows[i],
            rule,
        )


@compiled
def _pick(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    kept_scores: np.ndarray,
    kept_rows: np.ndarray,
    rule: _Rule,
) -> None:
    """Fill in scores and rows of the picked boxes of one image, in order."""
    table, row, starts = _gather(boxes, scores, labels, order, rule)
    num_groups = len(starts) - 1
    end = starts[1:].copy()
    taken = np.zeros(num_groups, np.int64)
    best = np.empty(num_groups, np.int64)
    top = np.empty(num_groups, table.dtype)
    for group in range(num_groups):
        best[group] = starts[group] + np.argmax(table[5, starts[group] : end[group]])
        top[group] = table[5, best[group]]
    for pick in range(len(kept_scores)):
        group = _first(top, best, row)
        if group == _NONE:
            return
        kept_scores[pick] = top[group]
        kept_rows[pick] = row[best[group]]
        top[group] = -np.inf
        taken[group] += 1
        if taken[group] < rule.room:
            end[group], best[group] = _weaken(
                table, row, starts[group], end[group], best[group], rule
            )
            if best[group] != _NONE:
                top[group] = table[5, best[group]]


@compiled
def _gather(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    rule: _Rule,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copy the boxes that take part, class by class.

    Returns:
        ``(6, N)`` columns x1, y1, x2, y2, area, score; the row of the input behind
        each column; where each class begins, and the end of the last.
    """
    table = np.empty((6, len(order)), boxes.dtype)
    row = np.empty(len(order), np.int64)
    starts = np.empty(len(order) + 1, np.int64)
    count = groups = 0
    for index in order:
        x1, y1, x2, y2 = boxes[index]
        score = scores[index]
        # An infinity minus itself is NaN.
        if not np.isfinite((x1 - x1) + (y1 - y1) + (x2 - x2) + (y2 - y2) + score):
            continue
        if score < rule.min_score and not rule.original:
            continue
        if count == 0 or labels[index] != labels[row[count - 1]]:
            starts[groups] = count
            groups += 1
        table[0, count], table[1, count] = x1, y1
        table[2, count], table[3, count] = x2, y2
        table[4, count] = (x2 - x1 + rule.offset) * (y2 - y1 + rule.offset)
        table[5, count] = score
        row[count] = index
        count += 1
    starts[groups] = count
    return table, row, starts[: groups + 1]


@compiled
def _first(top: np.ndarray, best: np.ndarray, row: np.ndarray) -> int:
    """Class with the best box; among equal ones that with the lower row."""
    first = _NONE
    largest = top.dtype.type(-np.inf)
    for group in range(len(top)):
        if top[group] > largest:
            first, largest = group, top[group]
        elif (
            top[group] == largest
            and first != _NONE
            and row[best[group]] < row[best[first]]
        ):
            first = group
    return first


@compiled
def _weaken(
    table: np.ndarray, row: np.ndarray, begin: int, end: int, chosen: int, rule: _Rule
) -> tuple[int, int]:
    """Remove the chosen box from its class, weaken the others, close the gaps.

    Returns:
        The new end of the class, and its best box.
    """
    one, zero = table.dtype.type(1), table.dtype.type(0)
    x1, y1, x2, y2, area = table[:5, chosen]
    best = _NONE
    into = begin
    for i in range(begin, end):
        if i == chosen:
            continue
        width = max(zero, min(x2, table[2, i]) - max(x1, table[0, i]) + rule.offset)
        height = max(zero, min(y2, table[3, i]) - max(y1, table[1, i]) + rule.offset)
        inter = width * height
        union = area + table[4, i] - inter
        iou = inter / union if union > zero else zero
        score = table[5, i]
        if rule.method > _LINEAR:
            score *= np.exp(-(iou * iou) / rule.sigma)
        elif iou > rule.iou_threshold or (
            iou == rule.iou_threshold and not rule.original
        ):
            score *= zero if rule.method == _NAIVE else one - iou
        if score < rule.min_score and (not rule.original or iou > zero):
            continue
        if into < i:
            for side in range(5):
                table[side, into] = table[side, i]
            row[into] = row[i]
        table[5, into] = score
        if best == _NONE or score > table[5, best]:
            best = into
        into += 1
    return into, best
