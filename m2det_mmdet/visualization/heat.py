"""Heat maps, laid over an image."""

import cv2
import numpy as np

from .overlays import grayed

_OPACITY = 0.6


def draw_heat(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map over an image that is gray below it.

    Args:
        image: BGR, ``(H, W, 3)``, uint8; it is left as it is.
        heat: ``(h, w)``, 0..1, over the whole image.

    Returns:
        The picture, BGR, ``(H, W, 3)``, uint8: from black over red to yellow.
    """
    smooth = cv2.resize(np.float32(heat), image.shape[1::-1])
    levels = np.clip(255 * smooth, 0, 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    return cv2.addWeighted(grayed(image), 1 - _OPACITY, colours, _OPACITY, 0)
