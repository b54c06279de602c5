"""Texts in pictures, in the letters of any language."""

from math import ceil

import numpy as np
from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

from ..utils.texts import one_line
from .fonts import choose_font, open_font

Color = tuple[int, int, int]
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_PAD = 0.2  # space around a text, as a part of the font's size
_CUT = '...'
# Of a light colour black letters stand out more; from 0 to 255.
_LIGHT = 140


def text_patch(
    text: str, size: int, *, ink: Color, paper: Color, most: int, end: str = ''
) -> np.ndarray:
    """Draw a line of text on a plain ground.

    Args:
        text: It comes on one line, and is cut where it is too long.
        size: Of the font, pixels.
        ink: Colour of the letters, BGR.
        paper: Colour of the ground, BGR.
        most: Largest width, pixels.
        end: What follows the text and is not cut before it.

    Returns:
        The picture, BGR, ``(h, w, 3)``; its height depends on font and size alone.
    """
    path, whole = choose_font(one_line(text) + end)
    font, pad = open_font(path, size), ceil(_PAD * size)
    line = _fitted(whole, len(end), font, most - 2 * pad)
    ascent, descent = font.getmetrics()
    width = min(most, ceil(font.getlength(line)) + 2 * pad)
    canvas = Image.new('RGB', (max(1, width), ascent + descent), paper)
    ImageDraw.Draw(canvas).text((pad, ascent), line, fill=ink, font=font, anchor='ls')
    # Pillow does not care which channel is which.
    return np.asarray(canvas)


def paste(picture: np.ndarray, patch: np.ndarray, left: int, top: int) -> None:
    """Put ``patch`` into ``picture``, moved as little as keeps it inside."""
    height, width = (
        min(a, b) for a, b in zip(picture.shape[:2], patch.shape[:2], strict=True)
    )
    left = min(max(0, left), picture.shape[1] - width)
    top = min(max(0, top), picture.shape[0] - height)
    picture[top : top + height, left : left + width] = patch[:height, :width]


def ink_on(paper: Color) -> Color:
    """Return black or white, whichever is read better on a colour; all BGR."""
    blue, green, red = paper
    brightness = 0.114 * blue + 0.587 * green + 0.299 * red
    return _BLACK if brightness > _LIGHT else _WHITE


def _fitted(line: str, num_last: int, font: FreeTypeFont, width: int) -> str:
    """Cut a line before its last letters, so that it is at most so wide."""
    if font.getlength(line) <= width:
        return line
    start, end = line[: len(line) - num_last], line[len(line) - num_last :]
    low, high = 0, len(start)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(start[:middle] + _CUT + end) <= width:
            low = middle
        else:
            high = middle - 1
    return start[:low] + _CUT + end if low else end.strip() or _CUT
