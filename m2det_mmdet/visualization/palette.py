"""Colours that tell classes apart."""

from functools import lru_cache

import cv2
import numpy as np

# The colours of Okabe and Ito, which colour-blind people can tell, as RGB; black is
# left out, and what is dark or pale in photographs comes last.
_FIRST = (
    (230, 80, 0),
    (0, 114, 178),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
)
_STEP = 15  # between the values of a channel among the colours to choose from
_LIGHTNESS = (35, 90)  # of CIELAB: neither black nor white
_LEAST_CHROMA = 35  # of CIELAB: no gray


@lru_cache(maxsize=8)
def class_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """Return a colour for each of ``count`` classes, RGB.

    After the first seven each colour is the one farthest, in CIELAB, from all before
    it. A class has the same colour however many others there are. After some thousand
    classes the colours repeat.
    """
    candidates, labs = _candidates()
    colors = list(_FIRST)
    distances = np.full(len(labs), np.inf, np.float32)
    for color in colors:
        distances = np.minimum(distances, _distances(labs, _to_lab([color])[0]))
    while len(colors) < count and distances.max() > 0:
        place = int(distances.argmax())
        colors.append(tuple(int(value) for value in candidates[place]))
        distances = np.minimum(distances, _distances(labs, labs[place]))
    return tuple(colors[index % len(colors)] for index in range(count))


def _candidates() -> tuple[np.ndarray, np.ndarray]:
    """Return strong colours, as RGB and as CIELAB, each ``(n, 3)``."""
    values = np.arange(0, 256, _STEP)
    colors = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(-1, 3)
    labs = _to_lab(colors)
    low, high = _LIGHTNESS
    strong = (labs[:, 0] > low) & (labs[:, 0] < high)
    strong &= np.hypot(labs[:, 1], labs[:, 2]) > _LEAST_CHROMA
    return colors[strong], labs[strong]


def _to_lab(colors: np.ndarray | list) -> np.ndarray:
    pixels = np.asarray(colors, np.float32).reshape(-1, 1, 3) / 255
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).reshape(-1, 3)


def _distances(labs: np.ndarray, lab: np.ndarray) -> np.ndarray:
    return np.linalg.norm(labs - lab, axis=1)
