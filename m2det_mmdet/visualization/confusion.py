"""A plot of which classes are taken for which."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import INK, new_figure, set_names, short, tidy

_MOST_CLASSES = 20
_CELL, _AROUND = 0.3, 2.2  # inches: height of a row, and of what is above and below
_LEAST_HEIGHT = 3.6  # inches
_SCALE = colormaps['Blues']
_DARK = 0.55  # share from which a count is white
_ROW, _COLUMN = 'background', 'missed'
_LONGEST = 18  # letters of a name
_MOST_LETTERS = 40  # of all names that fit side by side


def plot_confusion(matrix: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Plot a confusion matrix: shares of a row as colours, counts as numbers.

    Of more than 20 classes those that are confused most are shown, in their order, and
    the plot says so; shares stay those of the whole row.

    Args:
        matrix: Counts, ``(K + 1, K + 1)``: rows are true classes and at last the
            background, columns predicted classes and at last objects that are missed.
        class_names: ``K`` names.

    Raises:
        ValueError: If the matrix does not fit the names.
    """
    matrix, count = np.asarray(matrix), len(class_names)
    if matrix.shape != (count + 1, count + 1):
        raise ValueError(
            f'A confusion matrix of {count} classes is {count + 1} x {count + 1}, got '
            f'{matrix.shape}: give the names of its classes.'
        )
    shown = most_confused_classes(matrix, _MOST_CLASSES)
    places = [*shown, count]
    sums = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    part = np.ix_(places, places)
    figure = new_figure(max(_LEAST_HEIGHT, _CELL * len(places) + _AROUND))
    axes = figure.add_subplot()
    shares = (matrix / sums)[part]
    image = axes.imshow(shares, cmap=_SCALE, vmin=0, vmax=1, aspect='auto')
    _write_counts(axes, matrix[part], shares)
    _name_axes(axes, [short(class_names[index], _LONGEST) for index in shown])
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label('share of the row', color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, length=0)
    if len(shown) < count:
        note = f'The {len(shown)} of {count} classes that are confused most.'
        axes.set_title(note, color=INK, fontsize=10)
    return figure


def most_confused_classes(matrix: np.ndarray, most: int) -> list[int]:
    """List the ``most`` classes that are confused most with others, in their order.

    Where that is equal, those with most objects missed and detections on background.
    """
    count = len(matrix) - 1
    wrong = matrix * (1 - np.eye(count + 1, dtype=np.int64))
    between = wrong[:count, :count]
    confused = between.sum(axis=0) + between.sum(axis=1)
    others = wrong[:count, count] + wrong[count, :count]
    order = sorted(range(count), key=lambda index: (-confused[index], -others[index]))
    return sorted(order[:most])


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    size = 10 if len(counts) <= 8 else 8 if len(counts) <= 14 else 6.5
    for (row, column), number in np.ndenumerate(counts):
        if number:
            color = 'white' if shares[row, column] > _DARK else INK
            text = _shortened(int(number))
            axes.text(
                column, row, text, ha='center', va='center', fontsize=size, color=color
            )


def _shortened(number: int) -> str:
    """Write a count in at most four letters, up to a billion."""
    for unit, name in ((10**6, 'M'), (10**3, 'k')):
        if number >= 10 * unit or (unit > 10**3 and number >= unit):
            return f'{number / unit:.0f}{name}'
    return str(number)


def _name_axes(axes: Axes, names: Sequence[str]) -> None:
    places = range(len(names) + 1)
    is_long = len(names) > 4 or sum(map(len, names)) > _MOST_LETTERS
    axes.set_xticks(places, [*names, _COLUMN], rotation=90 if is_long else 0)
    axes.set_yticks(places, [*names, _ROW])
    set_names([*axes.get_xticklabels(), *axes.get_yticklabels()])
    axes.set_xlabel('predicted', color=INK)
    axes.set_ylabel('true', color=INK)
    tidy(axes)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    # What is no class stands apart.
    for line in (axes.axvline, axes.axhline):
        line(len(names) - 0.5, color='white', linewidth=3)
