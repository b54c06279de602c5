from math import inf, nan

import numpy as np
import pytest
from matplotlib.figure import Figure

from m2det_mmdet.visualization.training_curves import (
    plot_ap,
    plot_learning_rate,
    plot_losses,
)


def _lines(figure: Figure) -> dict[str, np.ndarray]:
    """The points of each named line, ``(n, 2)``."""
    lines = figure.axes[0].lines
    return {x.get_label(): x.get_xydata() for x in lines if x.get_label()[0] != '_'}


def _marks(figure: Figure) -> list[list[float]]:
    lines = [x for x in figure.axes[0].lines if x.get_marker() == 'o']
    return np.concatenate([line.get_xydata() for line in lines]).tolist()


def test_few_values_are_drawn_as_they_are() -> None:
    figure = plot_losses([10, 20, 30], {'loss': [3, 2, 1], 'loss_cls': [2, 1, 0.5]})

    lines = _lines(figure)
    assert lines['loss'].tolist() == [[10, 3], [20, 2], [30, 1]]
    assert lines['loss_cls'].tolist() == [[10, 2], [20, 1], [30, 0.5]]
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names == ['loss', 'loss_cls']
    figure.draw_without_rendering()


def test_a_single_value_is_a_mark() -> None:
    figure = plot_losses([7], {'loss': [2.0]})

    assert _marks(figure) == [[7, 2]]


def test_a_million_values_become_means_and_a_band() -> None:
    count = 1_000_000
    values = np.where(np.arange(count) % 2, 3.0, 1.0)
    values[500_000] = 90

    figure = plot_losses(np.arange(count), {'loss': values})

    line = _lines(figure)['loss']
    assert 100 < len(line) <= 1000
    # Blocks of equal length: the mean is 2, but for the one of the peak.
    assert np.median(line[:, 1]) == pytest.approx(2, abs=0.01)
    (band,) = figure.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1, 90)


def test_gaps_stay_gaps() -> None:
    few = _lines(plot_losses([1, 2, 3, 4], {'loss': [4, nan, inf, 1]}))['loss']
    values = np.ones(10_000)
    values[2000:4000] = nan
    values[7000:7003] = nan
    figure = plot_losses(np.arange(10_000), {'loss': values})
    many = _lines(figure)['loss']

    assert np.isnan(few[:, 1]).tolist() == [False, True, True, False]
    gap = many[np.isnan(many[:, 1]), 0]
    # The short gap is within a block, whose other values count.
    assert 1990 < gap.min() < 2020
    assert 3980 < gap.max() < 4000
    (band,) = figure.axes[0].collections
    assert len(band.get_paths()) == 2


def test_a_value_between_gaps_is_marked_among_many() -> None:
    values = np.full(100, 2.0)
    values[[40, 42]] = nan

    assert _marks(plot_losses(range(100), {'loss': values})) == [[41, 2]]


@pytest.mark.parametrize(
    ('values', 'scale'), [([200, 1], 'log'), ([90, 1], 'linear'), ([200, -1], 'linear')]
)
def test_losses_of_a_wide_span_get_a_logarithmic_axis(
    values: list[float], scale: str
) -> None:
    assert plot_losses([1, 2], {'loss': values}).axes[0].get_yscale() == scale


def test_no_value_leaves_empty_axes() -> None:
    for figure in (
        plot_losses([], {}),
        plot_losses([], {'loss': []}),
        plot_ap([1], {'AP': [nan]}),
        plot_ap([], {}),
        plot_learning_rate([], []),
    ):
        figure.draw_without_rendering()


def test_values_without_a_step_are_refused() -> None:
    with pytest.raises(ValueError, match='loss has 1 values at 2 steps: give one each'):
        plot_losses([1, 2], {'loss': [1]})


def test_the_rate_starts_at_zero() -> None:
    figure = plot_learning_rate([1, 2], [0.01, 0.02])

    assert figure.axes[0].get_ylim()[0] == 0
    assert _lines(figure)['learning rate'][:, 1].tolist() == [0.01, 0.02]


def test_the_best_ap_is_marked() -> None:
    figure = plot_ap([1, 2, 3], {'AP': [0.1, 0.456, nan], 'AP50': [0.2, 0.6, 0.7]})

    (note,) = figure.axes[0].texts
    assert note.get_text() == '0.456'
    assert note.xy == (2, 0.456)
    low, high = figure.axes[0].get_ylim()
    assert low == 0
    assert 0.7 < high <= 1
