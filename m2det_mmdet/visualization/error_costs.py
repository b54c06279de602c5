"""A plot of what each kind of error costs."""

from collections.abc import Collection, Mapping

from matplotlib.figure import Figure

from .style import COLORS, GRAY, INK, new_figure, tidy

_BAR, _AROUND = 0.36, 0.9  # inches: height of a bar, and of what is below all
# Space for numbers, as a part of what bars span, where they stand at one end or both.
_SPACE_AT_ONE, _SPACE_AT_BOTH = 0.3, 0.45
_LEAST_SPAN = 0.05  # of the axis, so that small costs look small


def plot_error_costs(
    costs: Mapping[str, float],
    counts: Mapping[str, int],
    *,
    totals: Collection[str] = (),
) -> Figure:
    """Plot a horizontal bar for each kind of error, the first on top.

    Args:
        costs: AP50 that is lost by each kind, from 0 to 1; below 0 if mending it would
            cost some.
        counts: How many errors of each kind there are.
        totals: Kinds that hold others, as all false positives; they are gray.
    """
    figure = new_figure(_BAR * len(costs) + _AROUND)
    axes = figure.add_subplot()
    names = list(costs)
    colors = [GRAY if name in totals else COLORS[0] for name in names]
    bars = axes.barh(names, list(costs.values()), color=colors, height=0.7)
    labels = [f'{cost:.3f}  ({counts[name]:,})' for name, cost in costs.items()]
    axes.bar_label(bars, labels, color=INK, fontsize=9, padding=4)
    axes.invert_yaxis()
    low, high = min([0, *costs.values()]), max([0, *costs.values()])
    span = max(high - low, _LEAST_SPAN)
    # Numbers stand at the ends of the bars, where they take a fifth of the axis.
    space = span * (_SPACE_AT_BOTH if low < 0 else _SPACE_AT_ONE)
    axes.set_xlim(low - space * (low < 0), max(high, low + span) + space)
    axes.set_xlabel('AP50 that is lost (number of errors)', color=INK)
    tidy(axes)
    axes.grid(visible=False, axis='y')
    return figure
