import numpy as np
import pytest

from m2det_mmdet.analysis.anchors.advice import what_would_reach
from m2det_mmdet.analysis.anchors.objects import Objects

SHAPES = [[(10, 10), (20, 10)], [(40, 40)]]


def _advice(*sides: tuple[float, float]) -> str | None:
    rows = np.array(sides, dtype=float).reshape(-1, 2)
    none = np.zeros(len(rows), dtype=int)
    images = np.array([[100.0, 100.0]])
    objects = Objects(rows, rows, rows.prod(axis=1), none, none, images, none)
    return what_would_reach(objects, SHAPES, 0.5)


@pytest.mark.parametrize(
    ('sides', 'parts'),
    [
        # Less than half of 100 pixels.
        ([(5, 5), (7, 7), (90, 90)], ['2 of them are too small', 'about 6 pixels']),
        ([(60, 60), (80, 80), (5, 5)], ['2 of them are too large', 'of about 71']),
        ([(60, 20)], ['all are longer or rounder', 'about 3.0 times']),
        ([(10, 11)], ['all lie between the centres', 'about 10 pixels']),
    ],
)
def test_the_most_frequent_cause_is_told(sides: list, parts: list[str]) -> None:
    advice = _advice(*sides)

    assert all(part in advice for part in parts)


def test_without_objects_there_is_no_advice() -> None:
    assert _advice() is None
