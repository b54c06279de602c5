"""What the plots have in common."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from ..utils.texts import one_line
from .fonts import DEFAULT_FONT, choose_font

INK = '#24292f'
GRID = '#e3e6ea'
GRAY = '#8c959f'
# The colours of Okabe and Ito, which colour-blind people can tell, and darker yellow.
COLORS = (
    '#0072b2',
    '#d55e00',
    '#009e73',
    '#cc79a7',
    '#e69f00',
    '#56b4e9',
    '#8a6d00',
    '#6e40c9',
    '#24292f',
    '#8c959f',
)
WIDTH = 8  # inches
_DPI = 100  # pixels an inch: 800 pixels of width
_LONGEST = 24  # letters of a name


def new_figure(height: float) -> Figure:
    """Return an empty figure, 800 pixels wide.

    Args:
        height: Inches, of 100 pixels.
    """
    figure = Figure((WIDTH, height), dpi=_DPI, facecolor='white', layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """Leave a light grid, and a line at the bottom alone."""
    axes.tick_params(colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    axes.spines['bottom'].set_color(GRID)


def short(name: str, most: int = _LONGEST) -> str:
    """Return a name of at most ``most`` letters and three dots.

    It has a sign in the place of what no font can draw: axes write the names of their
    ticks anew, whatever :func:`set_names` gave them.
    """
    return choose_font(one_line(name, most)).text


def set_names(texts: Iterable[Text]) -> None:
    """Let names of any language be drawn as they are, without formulas."""
    for text in texts:
        path, drawn = choose_font(text.get_text())
        text.set_parse_math(False)
        text.set_text(drawn)
        if path != DEFAULT_FONT:
            text.set_fontproperties(FontProperties(fname=path, size=text.get_size()))
