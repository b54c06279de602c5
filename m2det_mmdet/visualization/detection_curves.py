"""Plots of precision and recall."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLORS, GRAY, INK, new_figure, set_names, short, tidy

_HEIGHT = 4.4  # inches
# Classes up to which each is in the legend, and how many of more are from either end.
_MOST_NAMED, _NUM_ENDS = 10, 3


def plot_precision_recall(
    recalls: np.ndarray,
    precision: np.ndarray,
    class_names: Sequence[str],
    *,
    iou_thr: float,
) -> Figure:
    """Plot a line of precision by recall for each class, and their mean.

    Of more than ten classes the three with the highest and the three with the lowest
    AP are named and coloured, and the others gray.

    Args:
        recalls: ``(R,)``, ascending.
        precision: ``(K, R)``; NaN for a class without objects, which is left out.
        class_names: ``K`` names.
        iou_thr: IoU from which a detection counts.
    """
    figure, axes = _axes(
        'recall: share of the objects that are found',
        'precision: share of the detections that are right',
    )
    precision = np.asarray(precision, np.float64)
    known = ~np.isnan(precision).any(axis=1)
    # That of a class without objects is NaN.
    aps = precision.mean(axis=1)
    order = [int(index) for index in np.argsort(-aps, kind='stable') if known[index]]
    named = order
    if len(order) > _MOST_NAMED:
        named = [*order[:_NUM_ENDS], *order[-_NUM_ENDS:]]
    for index in set(order) - set(named):
        axes.plot(recalls, precision[index], color=GRAY, linewidth=0.7, alpha=0.5)
    for index, color in zip(named, COLORS, strict=False):
        name = short(class_names[index])
        if name.startswith('_'):
            # Matplotlib leaves such labels out of a legend.
            name = f' {name}'
        label = f'{name}  {aps[index]:.3f}'
        axes.plot(recalls, precision[index], color=color, linewidth=1.2, label=label)
    if order:
        label = f'mean of {len(order)} classes  {aps[order].mean():.3f}'
        mean = precision[order].mean(axis=0)
        axes.plot(recalls, mean, color=INK, linewidth=3, label=label)
    else:
        axes.set_title('No class has objects.', color=INK, fontsize=10)
    _add_legend(axes, f'AP at IoU {iou_thr:g}')
    return figure


def plot_by_confidence(
    thresholds: np.ndarray,
    precision: np.ndarray,
    recall: np.ndarray,
    f1: np.ndarray,
    *,
    best_threshold: float,
) -> Figure:
    """Plot precision, recall and F1 by the lowest score that counts.

    Args:
        thresholds: ``(T,)``, from 0 to 1, ascending.
        precision: ``(T,)``; NaN where there is no detection.
        recall: ``(T,)``.
        f1: ``(T,)``.
        best_threshold: Where F1 is highest.
    """
    figure, axes = _axes('lowest score that counts', '')
    rows = (('precision', precision), ('recall', recall), ('F1', f1))
    for (name, values), color in zip(rows, COLORS, strict=False):
        width = 3 if name == 'F1' else 1.6
        axes.plot(thresholds, values, color=color, linewidth=width, label=name)
    axes.axvline(
        best_threshold,
        color=INK,
        linestyle='--',
        linewidth=1.2,
        label=f'threshold {best_threshold:.2f}',
    )
    _add_legend(axes, None)
    return figure


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = new_figure(_HEIGHT)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1.005), ylim=(0, 1.02))
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    tidy(axes)
    return figure, axes


def _add_legend(axes: Axes, title: str | None) -> None:
    """Add a legend to the right of the axes, where it hides no line."""
    if not axes.get_legend_handles_labels()[0]:
        return
    legend = axes.figure.legend(
        loc='outside right upper',
        title=title,
        fontsize=9,
        labelcolor=INK,
        frameon=False,
        alignment='left',
    )
    set_names(legend.get_texts())
