"""What the levels of a pyramid give to the scores of a detector."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .grids import scaled
from .overlays import grayed, spread
from .style import COLORS, GRAY, INK, new_figure, set_names, short, tidy

# Red for a class, blue against it.
_COLORS = 'RdBu_r'
_OPACITY = 0.75
_CELL = 1.3  # inches of a picture's width
_HIGHEST = 2.0  # of a picture in its cell, by its width; a slimmer one is centered
_LONGEST = 320  # pixels of a picture's longer side


def draw_level_maps(
    image: np.ndarray,
    maps: Sequence[np.ndarray],
    title: str,
    *,
    boxes: np.ndarray = (),
    covered: tuple[float, float] = (1.0, 1.0),
) -> Figure:
    """Draw what each level and scale gives for a class, over the image.

    Args:
        image: BGR, ``(H, W, 3)``, uint8.
        maps: ``(levels, h, w)`` of each scale, the largest first.
        title: What is written above.
        boxes: ``(K, 4)``, xyxy, pixels of the image: they are outlined.
        covered: Which part of the maps' height and width the image takes; below and to
            the right of it the network's input was filled up.

    Returns:
        A row for each scale; in it a picture for each level, and one of their sum. Red
        speaks for the class, blue against it; all have the same range of colours.
    """
    gray = grayed(scaled(image, min(1, _LONGEST / max(image.shape[:2]))))
    factors = np.divide(gray.shape[1::-1], image.shape[1::-1])
    rows = [[*scale, scale.sum(axis=0)] for scale in maps]
    outlines = np.asarray(boxes, dtype=float).reshape(-1, 4) * np.tile(factors, 2)
    outlines = outlines[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    largest = max(float(np.abs(cell).max()) for row in rows for cell in row) or 1.0
    colours = ScalarMappable(Normalize(-largest, largest), colormaps[_COLORS])
    num_columns = len(rows[0])
    ratio = min(gray.shape[0] / gray.shape[1], _HIGHEST)
    figure = new_figure(0.8 + len(rows) * _CELL * ratio)
    figure.set_size_inches(1.4 + num_columns * _CELL, figure.get_figheight())
    axes = figure.subplots(len(rows), num_columns, squeeze=False)
    for row, (cells, line) in enumerate(zip(rows, axes, strict=True)):
        height, width = cells[0].shape
        line[0].set_ylabel(f'{height}x{width}', color=INK, fontsize=8)
        for column, (cell, place) in enumerate(zip(cells, line, strict=True)):
            over = spread(colours.to_rgba(cell)[..., :3], gray.shape[:2], covered)
            place.imshow((1 - _OPACITY) * gray / 255 + _OPACITY * over)
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
            # One for all of them: there may be hundreds in each of 54 pictures.
            place.add_collection(
                PolyCollection(
                    outlines, facecolor='none', edgecolor=INK, linewidth=0.7
                ),
                autolim=False,
            )
            if row == 0:
                name = 'sum' if column == num_columns - 1 else f'level {column + 1}'
                place.set_title(name, color=INK, fontsize=8)
    bar = figure.colorbar(colours, ax=axes, fraction=0.03, pad=0.01)
    bar.ax.tick_params(labelsize=7, colors=INK, length=0)
    bar.outline.set_visible(False)
    set_names([figure.suptitle(short(title, 60), color=INK, fontsize=10)])
    return figure


def draw_level_shares(groups: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Draw what each level gives for the objects of each group, as bars.

    Args:
        groups: By the name of a group a number for each level.
        title: What is written above.
    """
    num_levels = len(next(iter(groups.values())))
    figure = new_figure(1.2 + 0.34 * len(groups))
    axes = figure.subplots()
    tidy(axes)
    places = np.arange(len(groups))[::-1]
    for positive in (True, False):
        left = np.zeros(len(groups))
        for level in range(num_levels):
            widths = np.array([values[level] for values in groups.values()])
            widths = np.where((widths > 0) == positive, widths, 0)
            label = f'level {level + 1}' if positive else None
            color = COLORS[level % len(COLORS)]
            axes.barh(places, widths, 0.7, left, color=color, label=label)
            left += widths
    axes.axvline(0, color=GRAY, linewidth=0.8)
    axes.set_yticks(places, [short(name) for name in groups])
    axes.grid(visible=False, axis='y')
    set_names(axes.get_yticklabels())
    axes.set_title(title, color=INK, fontsize=10, loc='left')
    figure.legend(ncols=8, fontsize=8, frameon=False, loc='outside lower left')
    return figure
