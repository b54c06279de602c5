"""A plot of AP by class and size of the objects."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import COLORS, GRAY, INK, new_figure, set_names, short, tidy

_ROW, _AROUND = 0.2, 1.1  # inches: height of a class, and of what is above and below
_MOST_CLASSES = 30
_MARKS = ('v', 'o', '^', 's')


def plot_sizes(
    class_names: Sequence[str],
    overall: Sequence[float],
    by_size: Mapping[str, Sequence[float]],
) -> Figure:
    """Plot a bar for the AP of each class, with a mark for each size of objects on it.

    The best class is on top; those without objects are left out. Of more than 30
    classes the 15 best and the 15 worst are shown, and the plot says so.

    Args:
        class_names: ``K`` names.
        overall: AP of each class, ``(K,)``, from 0 to 1; NaN for one without objects.
        by_size: AP of each class, ``(K,)``, by the name of a size, the smallest first;
            NaN where there are no such objects.
    """
    overall = np.asarray(overall, np.float64)
    order = np.argsort(-overall, kind='stable')
    order = order[~np.isnan(overall[order])]
    shown = order
    if len(order) > _MOST_CLASSES:
        half = _MOST_CLASSES // 2
        shown = np.concatenate((order[:half], order[-half:]))
    figure = new_figure(_ROW * len(shown) + _AROUND)
    axes = figure.add_subplot()
    tidy(axes)
    axes.set_xlabel('AP', color=INK)
    if not len(shown):
        axes.set_yticks([])
        axes.set_title('No class has objects.', color=INK, fontsize=10)
        return figure
    rows = np.arange(len(shown))
    axes.barh(rows, overall[shown], color=GRAY, alpha=0.4, height=0.7, label='all')
    for (name, aps), color, mark in zip(by_size.items(), COLORS, _MARKS, strict=False):
        values = np.asarray(aps, np.float64)[shown]
        axes.plot(values, rows, mark, color=color, markersize=5.5, label=name)
    axes.set_yticks(rows, [short(class_names[index]) for index in shown], fontsize=8)
    set_names(axes.get_yticklabels())
    axes.set(xlim=(-0.01, 1.01), ylim=(len(shown) - 0.3, -0.7))
    axes.grid(visible=False, axis='y')
    figure.legend(
        loc='outside upper left', ncols=5, frameon=False, fontsize=9, labelcolor=INK
    )
    if len(shown) < len(order):
        note = f'The {half} best and {half} worst of {len(order)} classes.'
        axes.axhline(half - 0.5, color=INK, linewidth=1, linestyle=':')
        axes.set_title(note, color=INK, fontsize=10)
    return figure
