"""Images turned as viewers show them: by the orientation that their camera noted."""

from pathlib import Path

import cv2
import mmcv
import numpy as np

from .headers import UnreadableImage, read_header
from .images import ImageReader

# What makes an image upright, by its EXIF orientation: a turn, or a flip before one.
_TURNS = {
    3: cv2.ROTATE_180,
    5: cv2.ROTATE_90_COUNTERCLOCKWISE,
    6: cv2.ROTATE_90_CLOCKWISE,
    7: cv2.ROTATE_90_CLOCKWISE,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_FLIPPED = {2, 4, 5, 7}
_LEFT_AND_RIGHT, _UP_AND_DOWN = 1, 0


def read_upright(path: Path, read: ImageReader = mmcv.imread) -> np.ndarray | None:
    """Read an image and turn it as viewers do.

    OpenCV turns JPEG, PNG and TIFF itself; here WebP and AVIF are turned, too.

    Args:
        path: The image.
        read: Reads it, as OpenCV does; returns ``None`` or raises for what is no image.

    Returns:
        What ``read`` returns, turned where it has to be.
    """
    image = read(path)
    if image is None:
        return None
    try:
        return turn(image, read_header(path).left_to_turn)
    # OpenCV may read what Pillow does not know.
    except UnreadableImage:
        return image


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image as it was stored to what its camera saw.

    Args:
        image: ``(H, W, C)`` or ``(H, W)``.
        orientation: EXIF orientation, from 1 (nothing to do) to 8.
    """
    if orientation in _FLIPPED:
        axis = _UP_AND_DOWN if orientation == 4 else _LEFT_AND_RIGHT
        image = cv2.flip(image, axis)
    if orientation in _TURNS:
        image = cv2.rotate(image, _TURNS[orientation])
    return image
