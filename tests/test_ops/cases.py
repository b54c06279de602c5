"""Random inputs of soft-NMS, each from its seed alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np

# Of a hundred cases so many have at most so many boxes.
_SIZES = ((0, 4), (8, 10), (40, 55), (150, 20), (600, 9), (5000, 2))
_EXACT = (0, 0.25, 0.5, 0.75, 1)
_THRESHOLDS = (0, 0.3, 0.45, 0.5, 0.7, 1)
_METHODS = ('naive', 'linear', 'gaussian')


@dataclass(frozen=True)
class Case:
    """One input and its options.

    Args:
        boxes: ``(N, 4)`` xyxy in pixels, float32.
        scores: ``(N,)``, float32, few of them NaN or infinite in some cases.
        labels: ``(N,)``, int64.
        options: Options of ``batched_soft_nms`` but ``max_num``.
        max_num: Its ``max_num``.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    options: dict[str, Any]
    max_num: int


def random_case(seed: int, *, largest: int = 5000, plain: bool = False) -> Case:
    """Draw a case.

    Args:
        seed: Each gives another case.
        largest: Most boxes.
        plain: Only what mmcv's operator defines: finite boxes of some area with
            their corners in order, hardly any equal scores, variant ``mmcv``, no
            limit a class.
    """
    draw = np.random.default_rng(seed)
    count = _count(draw, largest)
    boxes = _boxes(draw, count)
    scores = _scores(draw, count)
    if plain:
        scores = draw.random(count, dtype=np.float32)
        # A length of at least a pixel.
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    else:
        _spoil(draw, boxes, scores)
    on_grid = (boxes == np.floor(boxes)).all()
    options = {
        # Those that single precision holds, where overlaps may be equal to them.
        'iou_threshold': float(draw.choice(_EXACT if on_grid else _THRESHOLDS)),
        'sigma': float(draw.choice([0.1, 0.5, 2])),
        'min_score': float(draw.choice([0, 1e-3, 0.01, 0.05, 0.3])),
        'method': str(draw.choice(_METHODS)),
        'offset': int(draw.integers(2)),
    }
    if not plain:
        options['variant'] = str(draw.choice(['mmcv', 'original']))
        options['max_per_class'] = int(draw.choice([-1, -1, 0, 1, 7, 50]))
    max_num = int(draw.choice([-1, 0, 1, 5, 100, 200, 10**4]))
    return Case(boxes, scores, _labels(draw, count), options, max_num)


def _count(draw: np.random.Generator, largest: int) -> int:
    sizes, shares = zip(*_SIZES, strict=True)
    most = min(int(draw.choice(sizes, p=np.array(shares) / 100)), largest)
    return int(draw.integers(most // 2, most + 1))


def _boxes(draw: np.random.Generator, count: int) -> np.ndarray:
    """Corners: anywhere, around a few objects, or on a grid; some cases negative."""
    # Among very many boxes on a grid too many decisions are close.
    kind = draw.integers(3 if count <= 600 else 2)
    side = 10 ** draw.uniform(1, 3)
    if kind == 1:
        objects = draw.uniform(0, side, (int(draw.integers(1, 31)), 4))
        boxes = objects[draw.integers(len(objects), size=count)]
        boxes = boxes + draw.normal(0, side / 50, (count, 4))
    else:
        boxes = draw.uniform(0, side, (count, 4))
    boxes = np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    if kind == 2:
        # Small numbers: many overlaps are equal, and equal to the threshold.
        boxes = np.floor(boxes / side * draw.integers(2, 30))
    if draw.random() < 0.3:
        boxes -= np.floor(side / 2)
    copies = draw.random(count) < draw.choice([0, 0.1, 0.5])
    if count:
        boxes[copies] = boxes[draw.integers(count, size=count)][copies]
    return boxes.astype(np.float32)


def _scores(draw: np.random.Generator, count: int) -> np.ndarray:
    scores = draw.random(count) ** draw.choice([1, 3])
    # Among many equal ones that decay a little, too many decisions are close.
    kind = draw.integers(4 if count <= 150 else 3)
    if kind == 1:
        scores = np.ceil(scores * 20) / 20
    elif kind == 3:
        scores[:] = 0.7
    return scores.astype(np.float32)


def _labels(draw: np.random.Generator, count: int) -> np.ndarray:
    kind = draw.integers(4)
    if kind == 0:
        return np.zeros(count, np.int64)
    if kind == 1:
        return draw.choice(np.array([-(2**62), -1, 0, 7, 2**62]), count)
    return draw.integers(0, 3 if kind == 2 else 80, count)


def _spoil(draw: np.random.Generator, boxes: np.ndarray, scores: np.ndarray) -> None:
    """Take the area, the order of corners or the finiteness from some boxes."""
    share = draw.choice([0, 0, 0.1, 0.3])

    def some() -> np.ndarray:
        return draw.random(len(boxes)) < share

    points, lines, inverted = some(), some(), some()
    boxes[points, 2:] = boxes[points, :2]
    boxes[lines, 2] = boxes[lines, 0]
    boxes[inverted] = boxes[inverted][:, [2, 3, 0, 1]]
    if draw.random() < 0.3:
        bad = np.array([np.nan, np.inf, -np.inf], np.float32)
        rows = some()
        boxes[rows, draw.integers(4)] = draw.choice(bad, int(rows.sum()))
        rows = some()
        scores[rows] = draw.choice(bad, int(rows.sum()))
