from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('unlabelled')


def test_the_best_detection_takes_an_object_of_its_class(script: ModuleType) -> None:
    objects = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    boxes = np.array([[0.0, 0, 10, 9], [0, 0, 10, 10], [20, 0, 30, 10], [60, 0, 70, 9]])
    classes, labels = np.array(['a', 'a', 'b', 'a']), np.array(['a', 'a'])

    overlaps = script.ious(boxes, objects)

    np.testing.assert_allclose(overlaps[:, 0], [0.9, 1, 0, 0])
    found = script.right(overlaps, classes, labels, np.array([0.9, 0.6, 0.8, 0.7]))
    assert found.tolist() == [True, False, False, False]


def test_nothing_is_labelled(script: ModuleType) -> None:
    boxes = np.array([[0.0, 0, 10, 9]])
    overlaps = script.ious(boxes, np.zeros((0, 4)))

    assert script.right(
        overlaps, np.array(['a']), np.array([]), np.ones(1)
    ).tolist() == [False]
