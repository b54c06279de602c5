"""Sizes of images on disk, and the lines of texts beside them."""

from pathlib import Path

from ...utils.headers import HugeImage, UnreadableImage, read_header
from ...utils.regular_files import read_regular
from ..error import DatasetError
from ..faults import Faults, Level, new_kind

LIST_UNREADABLE = new_kind(
    'list-unreadable',
    Level.FAULT,
    'lists of images that cannot be read',
    'Their images are left out: write them again.',
)


def image_size(path: Path) -> tuple[int, int]:
    """Read an image's width and height, pixels, without decoding it.

    The size is that of the image as mmcv loads it, turned by its EXIF entry.

    Raises:
        DatasetError: If the file is missing or not an image.
    """
    try:
        return read_header(path).size
    except UnreadableImage as error:
        fix = 'restore it or remove it'
        if isinstance(error, HugeImage):
            fix = 'cut it into tiles'
        elif isinstance(error.__cause__, FileNotFoundError):
            fix = 'restore it or remove its labels'
        raise DatasetError(f'The image {path} {error.problem}: {fix}.') from error


def read_lines(path: Path) -> list[str]:
    """Read the lines of a UTF-8 text, with any line ends, with or without a BOM.

    Raises:
        DatasetError: If the file cannot be read.
    """
    try:
        return read_regular(path).decode('utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f'The file {path} cannot be read as UTF-8 text ({error}): write it again.'
        ) from error


def lines_of(path: Path, faults: Faults) -> list[str]:
    """Read the lines of a list; one that cannot be read has none, and is reported."""
    try:
        return read_lines(path)
    except DatasetError as error:
        faults.report(LIST_UNREADABLE, str(error))
        return []
