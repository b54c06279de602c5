import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from m2det_mmdet.visualization.detection_curves import (
    plot_by_confidence,
    plot_precision_recall,
)
from m2det_mmdet.visualization.style import GRAY, INK

RECALLS = np.linspace(0, 1, 101)


def _plot(*aps: float) -> Figure:
    """Plot classes of the same precision at each recall: their AP."""
    precision = np.repeat(np.array(aps)[:, None], 101, axis=1)
    names = [f'c{index}' for index in range(len(aps))]
    return plot_precision_recall(RECALLS, precision, names, iou_thr=0.5)


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_classes_and_their_mean_have_a_line_each() -> None:
    figure = _plot(0.25, np.nan, 0.75)

    # The best first; a class without objects is none.
    assert _legend(figure) == ['c2  0.750', 'c0  0.250', 'mean of 2 classes  0.500']
    assert figure.legends[0].get_title().get_text() == 'AP at IoU 0.5'
    *classes, mean = figure.axes[0].lines
    assert [line.get_ydata()[0] for line in classes] == [0.75, 0.25]
    assert mean.get_ydata().tolist() == pytest.approx([0.5] * 101)
    assert mean.get_linewidth() > 2 * classes[0].get_linewidth()
    assert to_hex(mean.get_color()) == INK


def test_of_many_classes_the_ends_are_named_and_none_is_left_out() -> None:
    aps = np.linspace(0, 1, 12)
    figure = _plot(*aps)

    names = [text.split()[0] for text in _legend(figure)]
    assert names == ['c11', 'c10', 'c9', 'c2', 'c1', 'c0', 'mean']
    lines = figure.axes[0].lines
    assert len(lines) == 13
    gray = [line.get_ydata()[0] for line in lines if line.get_color() == GRAY]
    assert sorted(gray) == pytest.approx(aps[3:9])


def test_ten_classes_are_all_named_in_colours_of_their_own() -> None:
    figure = _plot(*np.linspace(0, 1, 10))

    assert len(_legend(figure)) == 11
    assert len({line.get_color() for line in figure.axes[0].lines[:10]}) == 10


def test_without_objects_the_plot_says_so() -> None:
    figure = _plot(np.nan)

    assert figure.axes[0].get_title() == 'No class has objects.'
    assert not figure.axes[0].lines
    figure.draw_without_rendering()


def test_names_are_no_formulas() -> None:
    figure = plot_precision_recall(RECALLS, np.ones((1, 101)), ['a $_{$'], iou_thr=0.5)

    figure.draw_without_rendering()
    assert _legend(figure)[0] == 'a $_{$  1.000'


def test_the_best_threshold_is_marked() -> None:
    grid = np.array([0.0, 0.5, 1.0])
    precision, recall = np.array([0.2, 0.6, np.nan]), np.array([1, 0.6, 0])

    figure = plot_by_confidence(
        grid, precision, recall, np.array([0.3, 0.6, 0]), best_threshold=0.5
    )

    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines) == ['precision', 'recall', 'F1', 'threshold 0.50']
    assert lines['threshold 0.50'].get_xdata() == [0.5, 0.5]
    assert lines['recall'].get_ydata().tolist() == [1, 0.6, 0]
    assert _legend(figure) == list(lines)


def test_a_class_that_begins_with_an_underscore_is_named() -> None:
    precision = np.full((1, 101), 0.5)

    figure = plot_precision_recall(RECALLS, precision, ['_cell'], iou_thr=0.5)

    assert _legend(figure)[0] == ' _cell  0.500'
