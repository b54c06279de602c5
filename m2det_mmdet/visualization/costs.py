"""A picture of AP against cost."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from .labels import Label, place_labels
from .style import INK, tidy

_SIZE = (10, 6.25)  # inches
_DPI = 160  # pixels an inch: 1600 x 1000
_PAD = 0.12  # inches, left and right
_FRONT = '#0a58ca'
_OTHERS = '#6e7781'
_MARKER = 9  # points across
_BAR = {'marker': '_', 'alpha': 0.45, 'linewidth': 1.2, 'zorder': 2}
# A linear axis spans at least this part of its largest value, so that a difference of
# a hundredth does not look large.
_LEAST_SPAN = 0.2
_LOG_SPAN = 10  # largest cost by smallest from which the axis is logarithmic


@dataclass(frozen=True)
class CostPoint:
    """The AP of a model and its cost.

    Attributes:
        name: Its label in the picture.
        cost: In any unit.
        ap: In the same unit as ``spread``.
        spread: Half the length of the error bar; ``None`` for none.
    """

    name: str
    cost: float
    ap: float
    spread: float | None = None


def draw_costs(
    points: Sequence[CostPoint], out: Path, *, x_label: str, y_label: str
) -> None:
    """Write the picture of :func:`plot_costs`, 1600 x 1000 pixels.

    Args:
        points: Models, in any order.
        out: File to write, as PNG or another format of matplotlib, by its extension.
            Its folder must exist.
        x_label: Name and unit of the cost.
        y_label: Name of the AP, and meaning of the error bars.

    Raises:
        ValueError: If no point has a finite AP and cost.
    """
    plot_costs(points, x_label=x_label, y_label=y_label).savefig(out, dpi=_DPI)


def plot_costs(points: Sequence[CostPoint], *, x_label: str, y_label: str) -> Figure:
    """Plot AP against cost, with a line along the Pareto front.

    The axis is logarithmic if costs span more than a factor of ten. Points without a
    finite AP or cost are named below the axes. Arguments and errors are those of
    :func:`draw_costs`.
    """
    drawn = [point for point in points if _is_known(point)]
    if not drawn:
        raise ValueError(
            'A plot of costs needs a point with a finite cost and AP, got none among '
            f'{[point.name for point in points]}: leave the plot out.'
        )
    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor='white', layout='constrained')
    figure.get_layout_engine().set(w_pad=_PAD)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    front = pareto_front(drawn)
    _draw_points(axes, drawn, front)
    _style(axes, drawn, x_label, y_label)
    _add_texts(figure, [point.name for point in points if not _is_known(point)])
    # Labels are placed in pixels, so nothing may move afterwards.
    figure.draw_without_rendering()
    figure.set_layout_engine('none')
    labels = [Label(point.name, point.cost, point.ap) for point in drawn]
    place_labels(axes, labels, [*_bars(drawn), *_steps(front)], _MARKER)
    return figure


def pareto_front(points: Sequence[CostPoint]) -> list[CostPoint]:
    """Return the points that no other point beats, the cheapest first.

    A point beats another if it costs no more and its AP is no lower, and at least one
    of the two is better.
    """
    front, best = [], -inf
    for point in sorted(points, key=lambda point: (point.cost, -point.ap)):
        tied = front and (point.cost, point.ap) == (front[-1].cost, front[-1].ap)
        if point.ap > best or tied:
            front.append(point)
            best = point.ap
    return front


def _is_known(point: CostPoint) -> bool:
    return isfinite(point.ap) and isfinite(point.cost)


def _bars(points: Sequence[CostPoint]) -> list[tuple[tuple[float, float], ...]]:
    """Return the ends of each error bar."""
    return [
        ((point.cost, point.ap - point.spread), (point.cost, point.ap + point.spread))
        for point in points
        if point.spread
    ]


def _steps(front: Sequence[CostPoint]) -> list[tuple[tuple[float, float], ...]]:
    """Return the ends of each stretch of the front: right, then up."""
    steps = []
    for left, right in pairwise(front):
        corner = (right.cost, left.ap)
        steps += [((left.cost, left.ap), corner), (corner, (right.cost, right.ap))]
    return steps


def _draw_points(
    axes: Axes, points: Sequence[CostPoint], front: Sequence[CostPoint]
) -> None:
    axes.plot(
        [point.cost for point in front],
        [point.ap for point in front],
        drawstyle='steps-post',
        color=_FRONT,
        alpha=0.45,
        linewidth=1.5,
        zorder=1,
    )
    others = [point for point in points if point not in front]
    groups = (
        (front, _FRONT, _FRONT, 'Pareto front: no cheaper model is as good'),
        (others, _OTHERS, 'white', 'other models'),
    )
    for group, color, fill, name in groups:
        for start, end in _bars(group):
            axes.plot(*zip(start, end, strict=True), color=color, **_BAR)
        if group:
            axes.plot(
                [point.cost for point in group],
                [point.ap for point in group],
                linestyle='none',
                marker='o',
                color=color,
                markerfacecolor=fill,
                markeredgewidth=1.5,
                markersize=_MARKER,
                label=name,
                zorder=3,
            )


def _style(axes: Axes, points: Sequence[CostPoint], x_label: str, y_label: str) -> None:
    costs = [point.cost for point in points]
    axes.margins(x=0.12, y=0.14)
    axes.set_ylim(_widened(axes.get_ylim()))
    if min(costs) > 0 and max(costs) > _LOG_SPAN * min(costs):
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    else:
        axes.set_xlim(_widened(axes.get_xlim()))
        if min(costs) >= 0:
            axes.set_xlim(left=max(0, axes.get_xlim()[0]))
    if min(point.ap - (point.spread or 0) for point in points) >= 0:
        axes.set_ylim(bottom=max(0, axes.get_ylim()[0]))
    axes.set_xlabel(x_label, fontsize=12, color=INK, parse_math=False)
    axes.set_ylabel(y_label, fontsize=12, color=INK, parse_math=False)
    tidy(axes)
    axes.tick_params(labelsize=11)


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    """Return limits of an axis that span at least ``_LEAST_SPAN``."""
    low, high = limits
    missing = max(0, _LEAST_SPAN * max(abs(low), abs(high)) - (high - low))
    return low - missing / 2, high + missing / 2


def _add_texts(figure: Figure, left_out: Sequence[str]) -> None:
    """Add the legend above the axes and the note below them."""
    figure.legend(
        loc='outside upper left', ncols=2, frameon=False, fontsize=11, labelcolor=INK
    )
    if left_out:
        note = textwrap.fill(f'Without AP or cost: {", ".join(left_out)}.', 150)
        figure.supxlabel(
            note, x=0.01, ha='left', fontsize=10, color=INK, parse_math=False
        )
