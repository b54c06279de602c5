from typing import Any

import pytest

from m2det_mmdet.utils.areas import fill_areas


@pytest.mark.parametrize(
    ('given', 'area', 'filled'),
    [
        ({}, 50, True),
        ({'area': None}, 50, True),
        ({'area': 0}, 50, True),
        ({'area': -3}, 50, True),
        ({'area': 42}, 42, False),
    ],
)
def test_the_area_is_that_of_the_box_where_there_is_none(
    given: dict[str, Any], area: float, filled: bool
) -> None:
    annotation = {'bbox': [1, 2, 5, 10], **given}

    assert fill_areas([annotation]) == ([annotation] if filled else [])
    assert annotation['area'] == area


@pytest.mark.parametrize('bbox', [[1, 2, 0, 10], [1, 2, -4, -5]])
def test_a_box_without_extent_has_the_area_0_and_is_not_counted(bbox: list) -> None:
    annotation = {'bbox': bbox}

    assert fill_areas([annotation]) == []
    assert annotation['area'] == 0


def test_an_object_without_a_box_is_left() -> None:
    assert fill_areas([annotation := {'id': 1}]) == []
    assert annotation == {'id': 1}
