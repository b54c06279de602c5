"""A picture of objects and the anchors that are matched with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from .style import GRAY, INK, new_figure, tidy

_SIZE = (16, 6)  # inches
_DPI = 100  # pixels an inch: 1600 x 600
_HEIGHT = 5.5  # inches, of one detector alone
_MISSED = '#cf222e'
_BARS = (GRAY, '#0a58ca')
# More points hide one another.
_MOST_POINTS = 4000
# Space for marks around all objects and anchors, as a factor.
_AROUND = 1.25
_SCALES = colormaps['viridis']


@dataclass(frozen=True)
class AnchorPlot:
    """Objects, and the anchors of a detector.

    Attributes:
        name: Its title in the picture.
        sides: Width and height of the objects, ``(N, 2)``, input pixels.
        reached: Whether an anchor reaches each object, ``(N,)``.
        shapes: Width and height of the anchors in a cell of each scale, input pixels.
        recalls: Share of the objects that are reached, by groups of them; NaN where a
            group has none.
    """

    name: str
    sides: np.ndarray
    reached: np.ndarray
    shapes: Sequence[Sequence[tuple[float, float]]]
    recalls: Mapping[str, float]


def draw_anchors(plots: Sequence[AnchorPlot], *, iou_thr: float) -> np.ndarray:
    """Draw objects and anchors by width and height, and the shares that are reached.

    Args:
        plots: Two detectors, as before and after a fit, for the same objects.
        iou_thr: The IoU from which an anchor reaches an object.

    Returns:
        The picture, BGR, ``(600, 1600, 3)``.
    """
    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor='white', layout='constrained')
    canvas = FigureCanvasAgg(figure)
    *squares, bars = figure.subplots(1, len(plots) + 1)
    limits = _limits(plots)
    for axes, plot in zip(squares, plots, strict=True):
        _draw_shapes(axes, plot, limits)
    _draw_recalls(bars, plots, iou_thr)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 2::-1].copy()


def plot_shapes(plot: AnchorPlot) -> Figure:
    """Plot objects and anchors of one detector by width and height."""
    figure = new_figure(_HEIGHT)
    _draw_shapes(figure.add_subplot(), plot, _limits([plot]))
    return figure


def _limits(plots: Sequence[AnchorPlot]) -> tuple[float, float]:
    """Return the lowest and highest pixels of all axes."""
    anchors = [shape for plot in plots for level in plot.shapes for shape in level]
    every = np.concatenate([np.array(anchors), *(plot.sides for plot in plots)])
    return every.min() / _AROUND, every.max() * _AROUND


def _draw_shapes(axes: Axes, plot: AnchorPlot, limits: tuple[float, float]) -> None:
    """Draw objects as points and anchors as squares, coloured by their scale."""
    shown = np.linspace(
        0, len(plot.sides) - 1, min(len(plot.sides), _MOST_POINTS)
    ).astype(int)
    sides, reached = plot.sides[shown], plot.reached[shown]
    for flag, color, name in (
        (reached, GRAY, 'objects that an anchor reaches'),
        (~reached, _MISSED, 'other objects'),
    ):
        axes.scatter(*sides[flag].T, s=9, color=color, alpha=0.5, lw=0, label=name)
    for level, shapes in enumerate(plot.shapes):
        axes.scatter(
            *np.array(shapes).T,
            s=55,
            marker='s',
            facecolors='none',
            edgecolors=[_SCALES(level / max(1, len(plot.shapes) - 1) * 0.9)],
            linewidths=1.8,
            label=f'anchors of scale {level}',
        )
    axes.set(xscale='log', yscale='log', xlim=limits, ylim=limits)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.set_xlabel('width, pixels of the input', color=INK)
    axes.set_ylabel('height, pixels of the input', color=INK)
    axes.set_title(plot.name, color=INK, parse_math=False)
    axes.legend(fontsize=8, labelcolor=INK, loc='upper left', framealpha=0.85)
    tidy(axes)


def _draw_recalls(axes: Axes, plots: Sequence[AnchorPlot], iou_thr: float) -> None:
    """Draw the recalls of each group side by side."""
    names = list(plots[0].recalls)
    places = np.arange(len(names))
    width = 0.8 / len(plots)
    for index, (plot, color) in enumerate(zip(plots, _BARS, strict=True)):
        # A group without objects has no bar.
        heights = [100 * plot.recalls[name] for name in names]
        offset = (index - (len(plots) - 1) / 2) * width
        bars = axes.bar(places + offset, heights, width, color=color, label=plot.name)
        labels = ['-' if np.isnan(height) else f'{height:.3g}' for height in heights]
        axes.bar_label(bars, labels, fontsize=7, color=INK, padding=1)
    axes.set_xticks(places, names)
    axes.set_ylim(0, 120)
    axes.set_yticks(range(0, 101, 20))
    axes.set_title(f'Objects with an anchor of IoU {iou_thr:g}, %', color=INK)
    axes.legend(fontsize=8, labelcolor=INK, loc='upper right', ncols=len(plots))
    tidy(axes)
