"""Fonts that have the characters of a text."""

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

# It comes with matplotlib, so that it is there on every machine.
DEFAULT_FONT = Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
_PROBE = 20  # pixels: any size shows whether Pillow opens a font
# It comes with matplotlib and has the same frame for all characters.
_LAST_RESORT = 'LastResort'
_ABSENT = '\N{REPLACEMENT CHARACTER}'


class FontChoice(NamedTuple):
    """A font, and a text that it can draw.

    Attributes:
        path: File of the font.
        text: The text, with a sign in the place of what the font lacks.
    """

    path: Path
    text: str


@lru_cache(maxsize=4096)
def choose_font(text: str) -> FontChoice:
    """Choose DejaVu Sans, or the first installed font that has all of a text.

    Where no font has all of it, DejaVu Sans draws what it has.
    """
    codes = np.unique([ord(x) for x in text if not x.isspace()]).astype(np.int32)
    if _has(DEFAULT_FONT, codes):
        return FontChoice(DEFAULT_FONT, text)
    for path in _installed():
        if _has(path, codes):
            return FontChoice(path, text)
    known = set(_codes_of(DEFAULT_FONT).tolist())
    drawn = ''.join(x if x.isspace() or ord(x) in known else _ABSENT for x in text)
    return FontChoice(DEFAULT_FONT, drawn)


@lru_cache(maxsize=256)
def open_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Open a font for Pillow; ``size`` is in pixels."""
    return ImageFont.truetype(str(path), size)


def _has(path: Path, codes: np.ndarray) -> bool:
    return bool(np.isin(codes, _codes_of(path)).all())


@cache
def _codes_of(path: Path) -> np.ndarray:
    """Return the numbers of a font's characters; none where it cannot be used."""
    try:
        # Pillow opens no font whose characters are pictures of one size, as of emoji.
        open_font(path, _PROBE)
        return np.array(list(FT2Font(str(path)).get_charmap()), np.int32)
    except (OSError, RuntimeError):
        return np.array([], np.int32)


@cache
def _installed() -> tuple[Path, ...]:
    """List the files of the fonts that matplotlib knows, upright and regular first."""
    fonts = sorted(
        fontManager.ttflist,
        key=lambda font: (font.style != 'normal', font.weight != 400, font.fname),
    )
    paths = dict.fromkeys(Path(font.fname) for font in fonts)
    return tuple(path for path in paths if not path.name.startswith(_LAST_RESORT))
