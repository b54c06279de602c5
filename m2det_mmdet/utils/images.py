"""Reads images; names and writes pictures of them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

import cv2
import mmcv
import numpy as np
from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from .errors import M2DetError
from .files import write_whole
from .headers import HugeImage, NoFile, UnreadableImage, read_header

ImageReader = Callable[[Path], np.ndarray | None]
# OpenCV writes no colours as the last of mmdet's formats.
_PICTURES = frozenset(IMG_EXTENSIONS) - {'.pgm'}


def common_folder(paths: Iterable[Path]) -> Path:
    """Deepest folder that holds all ``paths``: names relative to it are unique."""
    return Path(os.path.commonpath([path.parent for path in paths]))


def read_images(
    paths: Iterable[Path], read: ImageReader = mmcv.imread
) -> Iterator[tuple[Path, np.ndarray | None]]:
    """Read images as BGR arrays; ``None`` for what :func:`image_problem` tells.

    Gray images get three equal channels, 16 bits become 8, alpha is dropped, CMYK is
    converted, and the image is turned as its EXIF entry says.

    Args:
        paths: The images.
        read: Reads one; it returns ``None`` or raises for what is no image.
    """
    for path in paths:
        yield path, None if _is_refused(path) else _read(path, read)


def image_problem(path: Path) -> str:
    """Say in a clause why an image could not be read."""
    try:
        read_header(path)
    except UnreadableImage as error:
        return error.problem
    return 'is no image that can be read'


def _is_refused(path: Path) -> bool:
    """Whether reading an image whole would take too long, or too much memory."""
    try:
        read_header(path)
    except UnreadableImage as error:
        return isinstance(error, HugeImage | NoFile)
    return False


def _read(path: Path, read: ImageReader) -> np.ndarray | None:
    try:
        return read(path)
    except (OSError, MemoryError, cv2.error, M2DetError):
        return None


def picture_paths(images: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Give each image the path of a picture of its own.

    Pictures mirror the images' folders below their common one, and have names as
    :func:`picture_names` gives them.

    Args:
        images: Absolute paths.
        folder: Where the pictures go.
    """
    if not images:
        return {}
    root = common_folder(images)
    names = picture_names([image.relative_to(root) for image in images])
    return {
        image: folder / name for image, name in zip(images, names.values(), strict=True)
    }


def picture_names(images: Sequence[PurePath]) -> dict[PurePath, PurePath]:
    """Give each image the name of a picture, unlike all others.

    A picture has the name of its image; where that is not the name of a coloured
    picture (``x.pgm``, ``x``), ``.jpg`` is added.

    Args:
        images: Relative paths, each once.
    """
    names = {image: image for image in images}
    taken = {name for name in names if _is_picture(name)}
    taken |= {parent for name in names for parent in name.parents}
    for image, name in names.items():
        if not _is_picture(name):
            while name in taken or not _is_picture(name):
                name = name.with_name(f'{name.name}.jpg')
            taken.add(name)
            names[image] = name
    return names


def check_picture(path: Path) -> None:
    """Stop where the name is not that of a coloured picture.

    Raises:
        M2DetError: One sentence that names suffixes.
    """
    if not _is_picture(path):
        raise M2DetError(
            f'{path} cannot be a picture: give it the suffix .png or .jpg.'
        )


def encode_picture(path: Path, picture: np.ndarray) -> bytes:
    """Return the content of the file of a picture.

    Args:
        path: Where it is to be written; its suffix tells the format.
        picture: BGR, ``(H, W, 3)``.

    Raises:
        M2DetError: If the suffix is none of a coloured picture, or its format does not
            take the picture.
    """
    check_picture(path)
    written, data = False, None
    with suppress(cv2.error):
        written, data = cv2.imencode(path.suffix, picture)
    if not written:
        height, width = picture.shape[:2]
        raise M2DetError(
            f'{path} cannot be written: its format takes no picture of '
            f'{width}x{height} pixels.'
        )
    return data.tobytes()


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture whole or not at all, in the format of its suffix.

    Args:
        path: Where to write.
        picture: BGR, ``(H, W, 3)``.

    Raises:
        M2DetError: As :func:`encode_picture`, or if it cannot be written.
    """
    content = encode_picture(path, picture)
    write_whole(path, lambda file: file.write(content))


def _is_picture(path: PurePath) -> bool:
    return path.suffix.lower() in _PICTURES
