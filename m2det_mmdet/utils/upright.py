"""Images turned as viewers show them: by the orientation that their camera noted."""

from pathlib import Path

import cv2
import mmcv
import numpy as np

from .builds import did_you_mean_file
from .errors import M2DetError
from .headers import UnreadableImage, read_header
from .images import ImageReader, image_problem, read_images

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


def read_file(
    path: Path, read: ImageReader = read_upright, name: str | None = None
) -> np.ndarray:
    """Read the image in a file, or say why that is impossible.

    Args:
        path: The image.
        read: Reads it; returns ``None`` or raises for what is no image.
        name: What a message calls it, as its address on the web; by default its path.

    Returns:
        BGR, ``(H, W, 3)``, uint8.

    Raises:
        M2DetError: If there is no such file, it is no image that can be read, or has
            more pixels than Pillow opens.
    """
    # Opening a pipe would wait for somebody who writes to it.
    if not path.is_file():
        if path.exists():
            raise M2DetError(f'{path} is no file: give an image.')
        hint = did_you_mean_file(path) or 'check the path.'
        raise M2DetError(f'There is no image {path}: {hint}')
    ((_, image),) = read_images([path], read)
    if image is None:
        raise M2DetError(f'{name or path} {image_problem(path)}: give another image.')
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
