"""What a program has for an image: a path, an address, an array, a picture of Pillow.

Each becomes what OpenCV would read of its file: BGR, ``(H, W, 3)``, bytes, upright.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from glob import has_magic
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps

from ..utils.errors import M2DetError
from ..utils.image_search import find_images
from ..utils.image_urls import fetch_image, is_url
from ..utils.images import ImageReader
from ..utils.texts import one_line, shown
from ..utils.upright import read_file, read_upright

# One image; a path may be a text.
ImageSource = str | os.PathLike | np.ndarray | Image.Image
# Makes bytes of an image of 16 bits.
Scaling = Callable[[np.ndarray, str], np.ndarray]

_KINDS = 'a path, a URL, an array of NumPy (BGR) or an image of Pillow'
_BYTES = bytes | bytearray | memoryview
_TO_BGR = {1: cv2.COLOR_GRAY2BGR, 4: cv2.COLOR_BGRA2BGR}
# Pillow cannot tell the range of their values.
_WITHOUT_RANGE = ('I', 'F')


class SourceImage(NamedTuple):
    """An image, ready for a detector.

    Attributes:
        image: BGR, ``(H, W, 3)``, uint8, upright.
        path: Its file; ``None`` if it has none that stays.
    """

    image: np.ndarray
    path: Path | None


def is_one_image(images: object) -> bool:
    """Whether a caller gave one image, not a folder, a pattern or a series of images.

    Raises:
        M2DetError: If it is neither one image nor a series.
    """
    if isinstance(images, str | os.PathLike):
        name = os.fsdecode(images)
        if is_url(name):
            return True
        return not (
            os.path.isdir(name) or (has_magic(name) and not os.path.exists(name))
        )
    if isinstance(images, np.ndarray | Image.Image | torch.Tensor | _BYTES):
        return True
    if isinstance(images, Iterable) and not isinstance(images, dict):
        return False
    raise M2DetError(f'An image is {_KINDS}, got {shown(images)}.')


def each_image(images: object) -> Iterator[Any]:
    """Return an iterator of images; of a folder or a pattern it gives the paths.

    Args:
        images: A folder, a pattern, or a series of images, in which such may be, too.

    Raises:
        M2DetError: If a folder or a pattern has no image.
    """
    if isinstance(images, str | os.PathLike):
        return iter(find_images([os.fsdecode(images)]))
    return _each_of(images)


def _each_of(series: Iterable[Any]) -> Iterator[Any]:
    for image in series:
        if isinstance(image, str | os.PathLike) and not is_one_image(image):
            yield from each_image(image)
        else:
            yield image


def name_of(source: object, index: int) -> str | int:
    """Name of an image, else its place in the series."""
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else index


def load_source(
    source: object,
    *,
    read: ImageReader = read_upright,
    scale: Scaling | None = None,
) -> SourceImage:
    """Load an image.

    Args:
        source: A path, an address, an array or an image of Pillow.
        read: Reads an image by its path.
        scale: Makes bytes of arrays of 16 bits; by default it keeps the upper 8, as
            OpenCV does of files.

    Raises:
        M2DetError: One sentence on what cannot be read or taken for an image.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        if is_url(name):
            with TemporaryDirectory(prefix='m2det-') as folder:
                file = fetch_image(name, Path(folder))
                return SourceImage(read_file(file, read, name), None)
        # Of a user that there is not it is left as it is.
        path = Path(os.path.expanduser(name))
        return SourceImage(read_file(path, read), path)
    if isinstance(source, Image.Image):
        return SourceImage(_of_pillow(source, scale or _upper_bits), None)
    if isinstance(source, np.ndarray):
        return SourceImage(_of_array(source, scale or _upper_bits), None)
    if isinstance(source, torch.Tensor):
        raise M2DetError(
            f'A tensor of the shape {tuple(source.shape)} may hold RGB or BGR, from 0 '
            'to 1 or to 255: give an array (H, W, 3) of NumPy, BGR, of bytes.'
        )
    if isinstance(source, _BYTES):
        raise M2DetError(
            'An image in bytes has no format that is known: open it by '
            'PIL.Image.open(io.BytesIO(...)).'
        )
    raise M2DetError(f'An image is {_KINDS}, got {shown(source)}.')


def _of_array(array: np.ndarray, scale: Scaling) -> np.ndarray:
    """Return BGR bytes of an array of gray, BGR or BGRA."""
    # Subclasses, as of masked arrays, have operators of their own.
    array = np.asarray(array)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise M2DetError(
            f'An image has the shape (H, W, 3), BGR, or (H, W) or (H, W, 4), got '
            f'{array.shape}{_shape_advice(array)}.'
        )
    if array.size == 0:
        raise M2DetError(f'The image of the shape {array.shape} has no pixels.')
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == 'u' and array.dtype.itemsize == 2:
        # Of either byte order.
        array = scale(np.ascontiguousarray(array, np.uint16), 'array')
    elif array.dtype != np.uint8:
        raise M2DetError(
            f'An image has bytes from 0 to 255, got an array of {array.dtype}, whose '
            "range cannot be told: scale it, then .astype('uint8')."
        )
    # OpenCV takes no negative strides.
    array = np.ascontiguousarray(array)
    return cv2.cvtColor(array, _TO_BGR[channels]) if channels in _TO_BGR else array


def _shape_advice(array: np.ndarray) -> str:
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] > 4:
        return ': call .transpose(1, 2, 0)'
    return ': give a list of images' if array.ndim == 4 else ''


def _upper_bits(array: np.ndarray, _: str) -> np.ndarray:
    return (array >> 8).astype(np.uint8)


def _of_pillow(image: Image.Image, scale: Scaling) -> np.ndarray:
    """Return BGR bytes of an image of Pillow of any mode, upright."""
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode in _WITHOUT_RANGE:
            raise M2DetError(
                f'The image has the mode {image.mode}, whose range cannot be told: '
                "scale it, then .convert('L')."
            )
        if image.mode.startswith('I;16'):
            pixels = np.asarray(image).astype(np.uint16)
            return _of_array(pixels, scale)
        if image.mode in ('La', 'RGBa'):
            image = image.convert(image.mode.upper())
        pixels = np.asarray(image.convert('RGB'))
    # Pillow decodes here, and raises SyntaxError, struct.error and others of bad files.
    except M2DetError:
        raise
    except MemoryError as error:
        raise M2DetError(
            f'The image of Pillow of {image.width}x{image.height} pixels takes more '
            'memory than there is: give a smaller one.'
        ) from error
    except Exception as error:
        raise M2DetError(
            f'The image of Pillow cannot be read ({one_line(error)}): open it again.'
        ) from error
    return _of_array(pixels[..., ::-1], scale)
