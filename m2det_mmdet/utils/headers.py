"""What the header of an image tells, read without its pixels."""

import io
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from .errors import M2DetError
from .texts import one_line
from .warning_filters import own_filters

# Orientations that turn an image by a quarter.
_QUARTER_TURNS = {5, 6, 7, 8}
_ORIENTATION = ExifTags.Base.Orientation
# MPO is a JPEG of several pictures, as some cameras write it.
_JPEGS = {'JPEG', 'MPO'}
# Their EXIF entry lies before the pixels, and OpenCV obeys it in later versions only.
_NOT_TURNED = {'WEBP', 'AVIF'}
_WITH_ALPHA = {'LA', 'La', 'PA', 'RGBA', 'RGBa'}
# Pillow takes an image of more pixels for an attack, and opens none.
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)
# Bytes at the end of a PNG where an EXIF entry behind the pixels is looked for.
_TAIL = 4096


class UnreadableImage(M2DetError):
    """An image that cannot be opened.

    Args:
        path: The image.
        problem: A clause that follows its name: "does not exist".
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f'The image {path} {problem}.')
        self.problem = problem


class NoFile(UnreadableImage):
    """A folder, a device or a pipe, which would be read for ever."""


class HugeImage(UnreadableImage):
    """An image of more pixels than Pillow opens, which takes it for an attack."""


def size_problem(
    path: Path, most_pixels: int, *, limit: str = 'the limit'
) -> str | None:
    """Say in a clause why an image should not be decoded; ``None`` if it may be.

    Args:
        path: The image.
        most_pixels: How many it may have.
        limit: What that number is called.
    """
    try:
        # Other filters of warnings, for each image of a training, would let Python
        # repeat all the warnings that it shows once.
        with opened(path) as image:
            width, height = image.size
            pixels = width * height
    except HugeImage as error:
        # Pillow stops before it tells the size, but for its message.
        pixels = int(re.search(r'\d+', error.problem)[0])
    except UnreadableImage as error:
        return error.problem
    if pixels <= most_pixels:
        return None
    return f'has {pixels:,} pixels, and {limit} is {most_pixels:,}'


class Header(NamedTuple):
    """What the header of an image tells.

    Attributes:
        format: Pillow's name of the file's format: ``'JPEG'``.
        mode: Pillow's name of the kind of pixels: ``'RGB'``.
        stored: Width and height, pixels, as they are stored.
        orientation: How mmcv turns the image when it reads it, as an EXIF orientation
            from 1 (not at all) to 8. OpenCV turns JPEG, PNG and TIFF, and in some
            versions other formats.
        bits: Of a channel: 1, 8, 16 or 32.
        transparent: Whether it has an alpha channel or a transparent colour.
        animated: Whether it has several pictures, of which the first is read.
        tag: EXIF orientation in the file, which viewers obey; OpenCV may not.
    """

    format: str
    mode: str
    stored: tuple[int, int]
    orientation: int
    bits: int
    transparent: bool
    animated: bool
    tag: int = 1

    @property
    def left_to_turn(self) -> int:
        """EXIF orientation by which to turn the image after mmcv has read it."""
        return self.tag if self.orientation == 1 else 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels, of the image as mmcv reads it."""
        width, height = self.stored
        turned = self.orientation in _QUARTER_TURNS
        return (height, width) if turned else (width, height)


def read_header(path: Path) -> Header:
    """Read the header of an image.

    Raises:
        UnreadableImage: If the file is missing, is no regular one, is no image that
            Pillow knows, or has more pixels than Pillow opens.
    """
    with no_warnings_of_size(), opened(path) as image:
        tag, bits = _orientation(image), _bits(image)
        width, height = image.size
        # Pillow gives a TIFF the size of the turned image.
        if image.format == 'TIFF' and tag in _QUARTER_TURNS:
            width, height = height, width
        return Header(
            format=image.format,
            mode=image.mode,
            stored=(width, height),
            orientation=tag if tag == 1 or _is_turned(image.format) else 1,
            bits=bits,
            transparent=image.mode in _WITH_ALPHA or 'transparency' in image.info,
            # Last, since Pillow goes to the second picture.
            animated=image.format != 'MPO' and getattr(image, 'is_animated', False),
            tag=tag,
        )


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image with Pillow, which decodes it where its pixels are used.

    Raises:
        UnreadableImage: In the place of anything that opening or decoding raises.
    """
    try:
        # Opening a pipe would wait for somebody who writes to it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise NoFile(path, 'is no regular file')
        with Image.open(path) as image:
            yield image
    except UnreadableImage:
        raise
    except FileNotFoundError as error:
        raise UnreadableImage(path, 'does not exist') from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, 'is no image that can be read') from error
    except Image.DecompressionBombError as error:
        # What follows is a guess at the reason.
        reason = one_line(error).split(',')[0]
        raise HugeImage(path, f'is too large ({reason})') from error
    # Pillow raises ValueError, SyntaxError and others for files that are damaged.
    except Exception as error:
        raise UnreadableImage(path, f'cannot be read ({one_line(error)})') from error


@contextmanager
def no_warnings_of_size() -> Iterator[None]:
    """Leave out Pillow's warning of images with half as many pixels as it opens.

    It holds for all threads; another one that wants it waits.
    """
    with own_filters():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        yield


def _orientation(image: Image.Image) -> int:
    """Tell how an image is to be turned; Pillow's own way decodes each PNG."""
    if image.format == 'TIFF':
        value = image.tag_v2.get(_ORIENTATION)
    elif image.format == 'PNG' and 'exif' not in image.info:
        value = image.getexif().get(_ORIENTATION) if _has_late_exif(image.fp) else 1
    elif image.format in _JPEGS | _NOT_TURNED | {'PNG'}:
        exif = Image.Exif()
        # What is no EXIF entry turns nothing, and the image can be read.
        with suppress(Exception):
            exif.load(image.info.get('exif'))
        value = exif.get(_ORIENTATION)
    else:
        value = 1
    return value if value in range(1, 9) else 1


@cache
def _is_turned(kind: str) -> bool:
    """Whether OpenCV turns images of a format: tried where versions differ."""
    if kind not in _NOT_TURNED:
        return True
    exif, file = Image.Exif(), io.BytesIO()
    exif[_ORIENTATION] = 6
    try:
        Image.new('RGB', (2, 1)).save(file, kind, exif=exif)
        content = np.frombuffer(file.getvalue(), np.uint8)
        return cv2.imdecode(content, cv2.IMREAD_COLOR).shape[:2] == (2, 1)
    # Pillow or OpenCV may be built without the format.
    except (OSError, KeyError, AttributeError, cv2.error):
        return False


def _has_late_exif(file: BinaryIO) -> bool:
    """Whether a PNG may have an EXIF entry behind its pixels, which OpenCV obeys."""
    place = file.tell()
    try:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _TAIL))
        return b'eXIf' in file.read()
    finally:
        file.seek(place)


def _bits(image: Image.Image) -> int:
    # Pillow has no mode for colours of 16 bits: only the decoder is told of them.
    raw = str(image.tile[0][3]) if image.tile else ''
    if ';16' in image.mode or ';16' in raw:
        return 16
    return {'1': 1, 'I': 32, 'F': 32}.get(image.mode, 8)
