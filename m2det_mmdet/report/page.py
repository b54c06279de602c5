"""The page of a report: one HTML file, with all of its pictures in it."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..version import __version__
from ..visualization.grids import scaled

_TEMPLATE = 'page.html'
_QUALITY = 82  # of JPEG, from 0 to 100
_LONGEST = 2000  # pixels of a photo's longer side; a page is half as wide
_COMMAND = re.compile('`([^`]+)`')


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        source: A ``data:`` address that holds it.
        text: What it shows, for those who cannot see it.
        caption: What is written below it; empty for none.
    """

    source: str
    text: str
    caption: str = ''


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes:
        columns: Their heads.
        rows: A text for each column.
        words: How many columns, from the left, hold words; the others hold figures.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclass(frozen=True)
class Part:
    """Something that belongs together within a section.

    Attributes:
        title: Its heading; empty for none.
        text: Sentences, a paragraph each.
        tables: Tables.
        pictures: Pictures.
        wide: Whether a picture takes a row, else two do.
    """

    title: str = ''
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        title: Its heading.
        parts: What is in it, in its order.
    """

    title: str
    parts: Sequence[Part]

    @property
    def anchor(self) -> str:
        """The name by which the contents lead to it."""
        return self.title.lower().replace(' ', '-')


def render(
    title: str, subtitle: str, tiles: dict[str, str], sections: Sequence[Section]
) -> str:
    """Return the text of an HTML file.

    Args:
        title: Its title.
        subtitle: What is written below it.
        tiles: The most important figures, large, by what they are.
        sections: The sections.
    """
    return _template().render(
        title=title,
        subtitle=subtitle,
        tiles=tiles,
        sections=sections,
        version=__version__,
    )


def plot(figure: Figure, text: str, caption: str = '') -> Picture:
    """Return a figure of matplotlib as a picture, which any size suits."""
    file = io.BytesIO()
    # Without these a page of the same figures would be another one each time.
    with rc_context({'svg.hashsalt': 'm2det'}):
        FigureCanvasSVG(figure).print_svg(file, metadata={'Date': None})
    return Picture(_address('svg+xml', file.getvalue()), text, caption)


def plot_of_photos(figure: Figure, text: str) -> Picture:
    """Return a figure full of images as a picture, for a plot of it is huge."""
    figure.set_dpi(_LONGEST / max(figure.get_size_inches()))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return photo(
        cv2.cvtColor(np.asarray(canvas.buffer_rgba()), cv2.COLOR_RGBA2BGR), text
    )


def photo(image: np.ndarray, text: str, caption: str = '') -> Picture:
    """Return an image, BGR, ``(H, W, 3)``, as a picture; a huge one smaller."""
    longest = max(image.shape[:2])
    if longest > _LONGEST:
        image = scaled(image, _LONGEST / longest)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return Picture(_address('jpeg', data.tobytes()), text, caption)


def _address(kind: str, data: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    # Names of files and classes may hold anything.
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['commands'] = _commands
    return environment.get_template(_TEMPLATE)


def _commands(sentence: str) -> Markup:
    """Set what stands between backticks as a command is set."""
    return Markup(_COMMAND.sub(r'<code>\1</code>', str(escape(sentence))))
