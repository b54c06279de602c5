import numpy as np
import pytest
from matplotlib.figure import Figure

from m2det_mmdet.visualization.confusion import most_confused_classes, plot_confusion

# Three cats of four are right; one of two detections on background is a dog.
MATRIX = np.array([[3, 1, 0], [0, 5, 5], [1, 1, 0]])


def _counts(figure: Figure) -> dict[tuple[int, int], str]:
    """The counts by row and column."""
    texts = figure.axes[0].texts
    return {tuple(x.get_position())[::-1]: x.get_text() for x in texts}


def _ticks(figure: Figure) -> tuple[list[str], list[str]]:
    axes = figure.axes[0]
    return tuple(
        [x.get_text() for x in labels]
        for labels in (axes.get_yticklabels(), axes.get_xticklabels())
    )


def test_counts_are_numbers_and_shares_of_rows_are_colours() -> None:
    figure = plot_confusion(MATRIX, ['cat', 'dog'])

    assert _counts(figure) == {
        (0, 0): '3',
        (0, 1): '1',
        (1, 1): '5',
        (1, 2): '5',
        (2, 0): '1',
        (2, 1): '1',
    }
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [0, 0.5, 0.5], [0.5, 0.5, 0]])
    assert _ticks(figure) == (['cat', 'dog', 'background'], ['cat', 'dog', 'missed'])
    assert figure.axes[0].get_title() == ''


def test_a_row_without_objects_is_empty() -> None:
    figure = plot_confusion(np.zeros((2, 2), int), ['cat'])

    assert _counts(figure) == {}
    assert (figure.axes[0].images[0].get_array() == 0).all()


def test_of_many_classes_those_that_are_confused_are_shown() -> None:
    matrix = np.diag([9] * 30 + [0])
    matrix[25, 27] = 4
    # Missed objects count less than confused ones.
    matrix[:15, 30] = 8

    figure = plot_confusion(matrix, [f'c{index}' for index in range(30)])

    rows, columns = _ticks(figure)
    assert rows == [*(f'c{i}' for i in (*range(18), 25, 27)), 'background']
    assert columns[-3:] == ['c25', 'c27', 'missed']
    assert figure.axes[0].get_title() == 'The 20 of 30 classes that are confused most.'
    assert _counts(figure)[18, 19] == '4'
    # A share of the whole row.
    assert figure.axes[0].images[0].get_array()[18, 19] == pytest.approx(4 / 13)


def test_shares_count_columns_that_are_not_shown() -> None:
    matrix = np.zeros((31, 31), int)
    matrix[0, :30] = 1
    # 19 others are confused more than the rest.
    matrix[1:20, 0] = 5

    shares = plot_confusion(matrix, ['c'] * 30).axes[0].images[0].get_array()

    assert shares[0].sum() == pytest.approx(20 / 30)


def test_the_order_of_the_most_confused_is_that_of_the_classes() -> None:
    matrix = np.array([[0, 1, 0, 0], [0, 9, 3, 0], [0, 0, 9, 9], [0, 0, 0, 0]])

    assert most_confused_classes(matrix, 1) == [1]
    assert most_confused_classes(matrix, 2) == [1, 2]
    assert most_confused_classes(matrix, 9) == [0, 1, 2]


@pytest.mark.parametrize(
    ('count', 'text'),
    [(9999, '9999'), (12_300, '12k'), (999_400, '999k'), (2_600_000, '3M')],
)
def test_large_counts_are_short(count: int, text: str) -> None:
    assert _counts(plot_confusion(np.diag([count, 0]), ['a'])) == {(0, 0): text}


def test_a_matrix_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r'of 1 classes is 2 x 2, got \(3, 3\)'):
        plot_confusion(MATRIX, ['cat'])
