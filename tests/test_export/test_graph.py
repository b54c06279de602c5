import pytest

from m2det_mmdet.export.graph import output_names


@pytest.mark.parametrize(
    ('count', 'names'),
    [
        (2, 'all_boxes all_scores'),
        (3, 'boxes scores labels'),
        (5, 'boxes scores labels all_boxes all_scores'),
        (7, 'boxes scores labels all_boxes all_scores all_ranks_0 all_ranks_1'),
    ],
)
def test_outputs_are_named_by_their_number(count: int, names: str) -> None:
    assert output_names(count) == tuple(names.split())
