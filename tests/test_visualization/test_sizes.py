import numpy as np
from matplotlib.figure import Figure

from m2det_mmdet.visualization.sizes import plot_sizes


def _names(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def test_classes_have_a_bar_and_a_mark_for_each_size() -> None:
    figure = plot_sizes(
        ['a', 'b', 'c'],
        [0.2, np.nan, 0.6],
        {'small': [0.1, np.nan, np.nan], 'large': [0.3, 0.5, 0.7]},
    )

    # The best first, without the class that has no objects.
    assert _names(figure) == ['c', 'a']
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.6, 0.2]
    marks = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert marks['large'].tolist() == [[0.7, 0], [0.3, 1]]
    assert marks['small'][1].tolist() == [0.1, 1]
    assert np.isnan(marks['small'][0, 0])
    # Row 0 is on top.
    low, high = axes.get_ylim()
    assert low > 1 > 0 > high
    assert axes.get_title() == ''


def test_of_many_classes_both_ends_are_shown() -> None:
    aps = np.linspace(1, 0, 100)

    figure = plot_sizes([f'c{i}' for i in range(100)], aps, {'small': aps})

    assert _names(figure) == [f'c{i}' for i in (*range(15), *range(85, 100))]
    title = 'The 15 best and 15 worst of 100 classes.'
    assert figure.axes[0].get_title() == title


def test_without_objects_the_plot_says_so() -> None:
    figure = plot_sizes(['a'], [np.nan], {'small': [np.nan]})

    assert figure.axes[0].get_title() == 'No class has objects.'
    figure.draw_without_rendering()
