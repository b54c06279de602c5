"""Plots of how a training went."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from .style import COLORS, INK, new_figure, set_names, short, tidy

_HEIGHT = 3.6  # inches
# Points of a line: a pixel has no space for more than one.
_MOST_POINTS = 700
# Largest value by smallest from which the axis is logarithmic.
_LOG_SPAN = 100
# Points up to which each is marked.
_MOST_MARKS = 40


def plot_losses(
    steps: Sequence[float], losses: Mapping[str, Sequence[float]]
) -> Figure:
    """Plot losses against iterations.

    Of many points a line shows the means of equally many in a row, with their lowest
    and highest values as a pale band. NaN and infinite values are gaps. The axis is
    logarithmic if losses are positive and span more than a factor of 100.

    Args:
        steps: Iterations, ``(n,)``, ascending.
        losses: Values of each loss, ``(n,)``, by its name.

    Raises:
        ValueError: If a loss has more or fewer values than there are steps.
    """
    figure, axes = _axes('iteration', 'loss')
    for (name, values), color in zip(losses.items(), _colors(losses), strict=True):
        _draw_line(axes, steps, values, name, color)
    _use_logarithm(axes, losses)
    _add_legend(axes, losses)
    return figure


def plot_learning_rate(steps: Sequence[float], rates: Sequence[float]) -> Figure:
    """Plot the learning rate against iterations, as :func:`plot_losses` does."""
    figure, axes = _axes('iteration', 'learning rate')
    _draw_line(axes, steps, rates, 'learning rate', COLORS[0])
    axes.set_ylim(bottom=0)
    return figure


def plot_ap(epochs: Sequence[float], values: Mapping[str, Sequence[float]]) -> Figure:
    """Plot AP against epochs, and mark the best of the first kind.

    Args:
        epochs: ``(n,)``, ascending.
        values: AP, ``(n,)``, from 0 to 1, by its name: ``AP``, ``AP50``, ...; NaN is a
            gap.

    Raises:
        ValueError: If there are more or fewer values than epochs.
    """
    figure, axes = _axes('epoch', 'AP')
    for (name, row), color in zip(values.items(), _colors(values), strict=True):
        _draw_line(axes, epochs, row, name, color)
    axes.set_ylim(0, max(0.1, min(1.0, 1.15 * _highest(values))))
    first = _finite(next(iter(values.values()), ()))
    if np.isfinite(first).any():
        _mark_best(axes, epochs, first)
    _add_legend(axes, values)
    return figure


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = new_figure(_HEIGHT)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
    tidy(axes)
    return figure, axes


def _colors(names: Mapping[str, object]) -> list[str]:
    return [COLORS[index % len(COLORS)] for index in range(len(names))]


def _finite(values: Sequence[float]) -> np.ndarray:
    """Return values with NaN in the place of infinite ones."""
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _draw_line(
    axes: Axes,
    steps: Sequence[float],
    values: Sequence[float],
    name: str,
    color: str,
) -> None:
    steps, values = np.asarray(steps, np.float64), _finite(values)
    if len(steps) != len(values):
        raise ValueError(
            f'{name} has {len(values)} values at {len(steps)} steps: give one each.'
        )
    if len(values) > _MOST_POINTS:
        steps, values, low, high = _thinned(steps, values)
        axes.fill_between(steps, low, high, color=color, alpha=0.18, linewidth=0)
    axes.plot(steps, values, color=color, linewidth=1.6, label=short(name))
    marked = _alone(values) | (len(values) <= _MOST_MARKS)
    axes.plot(steps[marked], values[marked], 'o', color=color, markersize=3.5)


def _thinned(
    steps: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return middles, means, lowest and highest values of blocks; NaN if none has."""
    starts = np.linspace(0, len(values), _MOST_POINTS, endpoint=False).astype(int)
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, starts, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0), starts)
    means = np.full(len(starts), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    lengths = np.diff([*starts, len(values)])
    middles = np.add.reduceat(steps, starts) / lengths
    # Both leave NaN out where there is something else.
    low, high = (f.reduceat(values, starts) for f in (np.fmin, np.fmax))
    return middles, means, low, high


def _alone(values: np.ndarray) -> np.ndarray:
    """Whether a value has no neighbour, so that no line leads to it."""
    known = np.concatenate(([False], ~np.isnan(values), [False]))
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _highest(values: Mapping[str, Sequence[float]]) -> float:
    every = np.concatenate([_finite(row) for row in values.values()] or [[]])
    return float(np.nanmax(every)) if np.isfinite(every).any() else 0


def _use_logarithm(axes: Axes, losses: Mapping[str, Sequence[float]]) -> None:
    every = np.concatenate([_finite(row) for row in losses.values()] or [[]])
    every = every[np.isfinite(every)]
    if len(every) and every.min() > 0 and every.max() > _LOG_SPAN * every.min():
        axes.set_yscale('log')
        axes.yaxis.set_minor_locator(NullLocator())


def _mark_best(axes: Axes, epochs: Sequence[float], values: np.ndarray) -> None:
    """Put a ring around the highest value, with the value."""
    place = int(np.nanargmax(values))
    x, y = epochs[place], values[place]
    axes.plot([x], [y], 'o', color=COLORS[0], mfc='none', markersize=9, mew=1.6)
    axes.annotate(
        f'{y:.3f}',
        (x, y),
        xytext=(0, 8),
        textcoords='offset points',
        ha='center',
        color=INK,
        fontweight='bold',
    )


def _add_legend(axes: Axes, names: Mapping[str, object]) -> None:
    if names:
        legend = axes.legend(
            fontsize=9, labelcolor=INK, frameon=False, ncols=2, loc='best'
        )
        set_names(legend.get_texts())
