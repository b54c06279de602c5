"""A plain soft-NMS in double precision that knows which of its decisions are close.

Single precision may decide otherwise where two scores, or a score or an overlap and
its limit, are almost equal. The loop notes how far its own decisions are certain, so
that others need not agree with it by chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MARGIN = 1e-6
SCORE_TOLERANCE = 1e-5


@dataclass
class Trace:
    """What the loop did in one class.

    Args:
        rows: Rows of the boxes it picked, in order.
        scores: Their scores when they were picked.
        decayed: Whether each had lost score before.
        loose: Whether another box might have come before each, without effect on it.
        certain: How many of the picks hang on no close decision; those of almost
            equal scores that do not act on each other may be exchanged.
        whole: Whether all picks are certain, and that there are no more.
        input_order: Whether equal scores come in input order.
    """

    rows: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    decayed: list[bool] = field(default_factory=list)
    loose: list[bool] = field(default_factory=list)
    certain: int = 0
    whole: bool = True
    input_order: bool = True

    def stop(self, score: float) -> None:
        """Note that at this score, after the picks so far, a decision is close."""
        self.whole = False
        self.certain = len(self.rows)
        for i in reversed(range(len(self.rows))):
            if self.scores[i] > score + 2 * MARGIN:
                break
            if self.loose[i]:
                self.certain = i


@dataclass(frozen=True)
class Options:
    """Options of soft-NMS, by the names of the package's."""

    iou_threshold: float = 0.3
    sigma: float = 0.5
    min_score: float = 1e-3
    method: str = 'linear'
    offset: float = 0
    variant: str = 'mmcv'
    max_per_class: int = -1


def soft_nms_loop(
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    input_order: bool = True,
    **options: Any,
) -> dict[int, Trace]:
    """Run soft-NMS class by class.

    Args:
        boxes: ``(N, 4)``, xyxy in pixels. Limits are rounded to their type, all else
            is computed in double precision.
        scores: ``(N,)``.
        labels: ``(N,)``.
        input_order: Whether equal scores are to come in input order; otherwise their
            order is as uncertain as that of almost equal ones.
        **options: Fields of :class:`Options`.
    """
    settings = Options(**options)
    number = boxes.dtype.type
    limits = {
        name: float(number(getattr(settings, name)))
        for name in ('iou_threshold', 'sigma', 'min_score', 'offset')
    }
    settings = Options(**{**vars(settings), **limits})
    takes_part = np.isfinite(boxes).all(1) & np.isfinite(scores)
    if settings.variant == 'mmcv':
        takes_part &= scores >= settings.min_score
    return {
        int(label): _run(
            np.flatnonzero(takes_part & (labels == label)),
            boxes.astype(np.float64),
            scores.astype(np.float64),
            settings,
            input_order,
        )
        for label in np.unique(labels)
    }


def merge(traces: dict[int, Trace]) -> tuple[list[int], list[float]]:
    """Rows and scores of all classes, best first, equal ones in input order."""
    picks = [
        (-score, row)
        for trace in traces.values()
        for row, score in zip(trace.rows, trace.scores, strict=True)
    ]
    picks.sort()
    return [row for _, row in picks], [-score for score, _ in picks]


def compare(
    traces: dict[int, Trace],
    keep: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    boxes: np.ndarray,
) -> tuple[int, int, float]:
    """Compare unlimited results with the loop's as far as its decisions are certain.

    Args:
        traces: What the loop did.
        keep: Rows that were kept, ``(K,)``, best first.
        scores: Their scores, ``(K,)``.
        labels: Class of each box of the input, ``(N,)``.
        boxes: The input, ``(N, 4)``.

    Returns:
        How many picks were compared, how many the loop made, and the largest
        difference of scores.

    Raises:
        AssertionError: If they differ.
    """
    compared, worst = 0, 0.0
    assert len(set(keep.tolist())) == len(keep), 'A box was kept twice.'
    for label, trace in traces.items():
        mine = labels[keep] == label
        found, found_scores = keep[mine].tolist(), scores[mine].astype(np.float64)
        n = trace.certain
        if trace.whole:
            assert len(found) == len(trace.rows), (label, found, trace.rows)
        for run in _runs(trace):
            assert sorted(found[run]) == sorted(trace.rows[run]), (label, run)
            order = [found.index(row) for row in trace.rows[run]]
            for i, place in enumerate(order):
                for j in range(i):
                    pair = run.start + j, run.start + i
                    exchangeable = not _is_exact(trace, boxes, *pair)
                    assert order[j] < place or exchangeable, (label, pair)
            difference = np.abs(found_scores[order] - trace.scores[run]).max()
            worst = max(worst, float(difference))
        compared += n
    assert worst <= SCORE_TOLERANCE, worst
    return compared, sum(len(trace.rows) for trace in traces.values()), worst


def _run(
    rows: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    settings: Options,
    input_order: bool,
) -> Trace:
    """Pick the boxes of one class.

    ``upper`` is the highest score that a box may have by other roundings. It lies
    above ``score``, if only by a bit, from where an overlap was close to the threshold
    or a score close to the limit, dropped or not.
    """
    boxes, score = boxes[rows], scores[rows].copy()
    upper = score.copy()
    decayed = np.zeros(len(rows), bool)
    trace = Trace(input_order=input_order)
    room = settings.max_per_class if settings.max_per_class > 0 else len(rows)
    while len(trace.rows) < room and score.size and score.max() > -np.inf:
        # The first of equal ones.
        best = int(score.argmax())
        iou = overlaps(boxes[best], boxes, settings.offset)
        if trace.whole:
            doubtful = upper > score
            rivals = upper >= score[best] - MARGIN
            rivals[best] = doubtful[best]
            tied = score == score[best]
            same = (boxes == boxes[best]).all(1) | (score == 0)
            exact = (~decayed & ~decayed[best]) | (same & tied)
            exact &= ~doubtful & (~tied | input_order)
            is_last = len(trace.rows) + 1 == room
            matters = _may_act(iou, score[best], settings) | doubtful | is_last
            rivals &= ~exact
            if (rivals & matters).any():
                trace.stop(score[best])
            trace.loose.append(bool(rivals.any()))
        trace.rows.append(int(rows[best]))
        trace.scores.append(float(score[best]))
        trace.decayed.append(bool(decayed[best]))
        score[best] = upper[best] = -np.inf
        _weaken(score, upper, decayed, iou, settings)
    # What the loop dropped by a hair another may keep.
    if trace.whole:
        trace.certain = len(trace.rows)
        if trace.certain < room and (upper > -np.inf).any():
            trace.stop(upper.max())
    return trace


def overlaps(box: np.ndarray, boxes: np.ndarray, offset: float) -> np.ndarray:
    """IoU of a box ``(4,)`` with others ``(N, 4)``, 0 where the union is empty."""
    x1, y1 = np.maximum(box[:2], boxes[:, :2]).T
    x2, y2 = np.minimum(box[2:], boxes[:, 2:]).T
    inter = np.maximum(x2 - x1 + offset, 0) * np.maximum(y2 - y1 + offset, 0)
    area = (box[2] - box[0] + offset) * (box[3] - box[1] + offset)
    areas = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    union = area + areas - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def _weaken(
    score: np.ndarray,
    upper: np.ndarray,
    decayed: np.ndarray,
    iou: np.ndarray,
    settings: Options,
) -> None:
    """Weaken and drop boxes in place."""
    threshold, limit = settings.iou_threshold, settings.min_score
    original = settings.variant == 'original'
    if settings.method == 'gaussian':
        factor = np.exp(-(iou**2) / settings.sigma)
        close = np.zeros(len(iou), bool)
    else:
        acts = iou > threshold if original else iou >= threshold
        factor = np.where(acts, 0 if settings.method == 'naive' else 1 - iou, 1)
        close = (np.abs(iou - threshold) < MARGIN) & (iou != threshold)
    alive = score > -np.inf
    score[alive] *= factor[alive]
    possible = upper > -np.inf
    upper[possible] *= np.where(close, 1, factor)[possible]
    decayed |= (factor < 1) | close
    may_drop = (iou > 0) if original else np.ones(len(iou), bool)
    score[(score < limit) & may_drop] = -np.inf
    # An exact zero is no close call, nor is a score that never changed.
    doubt = decayed & (upper != 0)
    upper[may_drop & (upper < np.where(doubt, limit - MARGIN, limit))] = -np.inf
    # A score close above the limit may be gone elsewhere.
    near = close | (doubt & may_drop & (np.abs(score - limit) < MARGIN))
    near &= score > -np.inf
    upper[near] = np.maximum(upper[near], score[near] * (1 + 1e-9))


def _may_act(iou: np.ndarray, score: float, settings: Options) -> np.ndarray:
    """Whether the order of two boxes of this overlap matters."""
    drops = settings.variant == 'original' and score < settings.min_score + MARGIN
    if settings.method == 'gaussian' or drops:
        return iou > 0
    return iou > settings.iou_threshold - MARGIN


def _runs(trace: Trace) -> Iterator[slice]:
    """Certain picks, those of almost equal scores together."""
    start = 0
    for i in range(1, trace.certain + 1):
        gap = i == trace.certain or trace.scores[i - 1] - trace.scores[i] > 2 * MARGIN
        if gap:
            yield slice(start, i)
            start = i


def _is_exact(trace: Trace, boxes: np.ndarray, first: int, second: int) -> bool:
    """Whether the order of two picks is the same by any rounding."""
    score, other = trace.scores[first], trace.scores[second]
    if score == other and not trace.input_order:
        return False
    undecayed = not (trace.decayed[first] or trace.decayed[second])
    if score - other > MARGIN or undecayed:
        return True
    pair = boxes[[trace.rows[first], trace.rows[second]]]
    return score == other and (score == 0 or bool((pair[0] == pair[1]).all()))
