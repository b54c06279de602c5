"""Maps of colours over an image."""

import cv2
import numpy as np


def grayed(image: np.ndarray) -> np.ndarray:
    """Return an image without its colours, so that all colours are those of a map.

    Args:
        image: BGR or RGB, ``(H, W, 3)``, uint8.
    """
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def spread(
    cells: np.ndarray, size: tuple[int, int], covered: tuple[float, float]
) -> np.ndarray:
    """Return what the cells of a map hold at each pixel; they keep their borders.

    Args:
        cells: ``(h, w)`` or ``(h, w, C)``.
        size: Height and width of the image.
        covered: Which part of the map's height and width the image takes; below and to
            the right of it the network's input was filled up.
    """
    height, width = size
    whole = (round(width / covered[1]), round(height / covered[0]))
    return cv2.resize(cells, whole, interpolation=cv2.INTER_NEAREST)[:height, :width]
