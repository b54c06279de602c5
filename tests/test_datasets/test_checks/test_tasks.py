"""Labels of other tasks are counted."""

from collections.abc import Callable
from typing import Any

import pytest

from m2det_mmdet.datasets.checks.tasks import check_tasks

BOX = [10, 10, 30, 20]


@pytest.mark.parametrize(
    ('values', 'kinds'),
    [
        ({'segmentation': [[1, 2, 3, 4, 5, 6]]}, ['labels-polygons']),
        ({'segmentation': {'counts': 'a', 'size': [1, 1]}}, ['labels-polygons']),
        ({'segmentation': []}, []),
        ({'segmentation': None}, []),
        ({'keypoints': [1, 2, 2]}, ['labels-key-points']),
        ({'attributes': {'rotation': 30.0}}, ['labels-rotated']),
        ({'angle': -90}, ['labels-rotated']),
        ({'attributes': {'rotation': 180.0, 'occluded': False}}, []),
        ({'attributes': None}, []),
        ({'attributes': {'rotation': 'none'}}, []),
    ],
)
def test_labels_of_other_tasks_are_told(
    values: dict[str, Any], kinds: list[str], make_part: Callable, findings: Callable
) -> None:
    parts = {'train': make_part([[BOX]]), 'val': make_part([[BOX, BOX]], **values)}

    found = findings(check_tasks, parts)

    assert [*found] == kinds
    for count, sentence in found.values():
        assert count == 2
        assert sentence.startswith(f'The cat {BOX} of 1.jpg (val) has ')
