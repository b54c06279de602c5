"""Finds and reads the images that a user names; names and writes pictures of them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from glob import glob
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from .builds import did_you_mean_file
from .errors import M2DetError
from .files import write_whole
from .headers import HugeImage, UnreadableImage, read_header

# What operating systems put beside images, in lower case.
_LITTER = {
    '__macosx',
    'thumbs.db',
    'desktop.ini',
    '.ds_store',
    '@eadir',
    '$recycle.bin',
}
ImageReader = Callable[[Path], np.ndarray | None]
# OpenCV writes no colours as the last of mmdet's formats.
_PICTURES = frozenset(IMG_EXTENSIONS) - {'.pgm'}


def find_images(inputs: Sequence[str], exclude: Path | None = None) -> list[Path]:
    """List the images that ``inputs`` name, each once, in their order.

    Folders are searched for images by the suffix of their names; what is hidden in them
    and what operating systems leave there (``._a.jpg``, ``Thumbs.db``, ``__MACOSX``) is
    left out. A file that is named itself may have any suffix, or none.

    Args:
        inputs: Images, folders (with the folders in them) and glob patterns.
        exclude: Folder whose content is left out: where pictures go, if anywhere.

    Raises:
        M2DetError: If an input names no file or no image.
    """
    found: dict[Path, None] = {}
    exclude = None if exclude is None else exclude.resolve()
    for name in inputs:
        all_paths = [Path(os.path.abspath(path)) for path in _expand(name)]
        paths = [path for path in all_paths if exclude not in path.resolve().parents]
        if all_paths and not paths:
            raise M2DetError(
                f'The images in {name} lie in {exclude}, where pictures are written: '
                'give another output folder.'
            )
        if not paths and not is_litter(Path(name).name):
            raise _no_image(name)
        found.update(dict.fromkeys(paths))
    if not found:
        raise _no_image(', '.join(inputs))
    return list(found)


def images_in(folder: Path) -> list[Path]:
    """List the images in a folder and the folders in it, by their suffixes.

    What is hidden, and what operating systems put there, is left out.
    """
    return sorted(
        path
        for path in folder.rglob('*')
        if _is_image(path) and not _is_hidden(path.relative_to(folder))
    )


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
        yield path, None if _is_huge(path) else _read(path, read)


def image_problem(path: Path) -> str:
    """Say in a clause why an image could not be read."""
    try:
        read_header(path)
    except UnreadableImage as error:
        return error.problem
    return 'is no image that can be read'


def _is_huge(path: Path) -> bool:
    try:
        read_header(path)
    except UnreadableImage as error:
        return isinstance(error, HugeImage)
    return False


def _read(path: Path, read: ImageReader) -> np.ndarray | None:
    try:
        return read(path)
    except (OSError, MemoryError, cv2.error, M2DetError):
        return None


def picture_paths(images: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Give each image the path of a picture of its own.

    Pictures mirror the images' folders below their common one. A picture has the name
    of its image; where that is not the name of a coloured picture (``x.pgm``, ``x``),
    ``.jpg`` is added.

    Args:
        images: Absolute paths.
        folder: Where the pictures go.
    """
    if not images:
        return {}
    root = common_folder(images)
    names = {image: image.relative_to(root) for image in images}
    taken = {name for name in names.values() if _is_picture(name)}
    taken |= {parent for name in names.values() for parent in name.parents}
    for image, name in names.items():
        if not _is_picture(name):
            while name in taken or not _is_picture(name):
                name = name.with_name(f'{name.name}.jpg')
            taken.add(name)
            names[image] = name
    return {image: folder / name for image, name in names.items()}


def check_picture(path: Path) -> None:
    """Stop where the name is not that of a coloured picture.

    Raises:
        M2DetError: One sentence that names suffixes.
    """
    if not _is_picture(path):
        raise M2DetError(
            f'{path} cannot be a picture: give it the suffix .png or .jpg.'
        )


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture whole or not at all, in the format of its suffix.

    Args:
        path: Where to write.
        picture: BGR, ``(H, W, 3)``.

    Raises:
        M2DetError: If the suffix is none of a coloured picture, or the picture cannot
            be written.
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
    write_whole(path, lambda file: file.write(data.tobytes()))


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return images_in(path)
    if path.is_file():
        return [] if is_litter(path.name) else [path]
    matches = sorted(map(Path, glob(name, recursive=True)))
    if not matches:
        hint = did_you_mean_file(path) or 'check the path.'
        raise M2DetError(f'There is no image, folder or match of {name}: {hint}')
    return [
        match
        for match in matches
        if _is_image(match) and not any(map(is_litter, match.parts))
    ]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMG_EXTENSIONS and path.is_file()


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _PICTURES


def _is_hidden(path: Path) -> bool:
    return any(part.startswith('.') or is_litter(part) for part in path.parts)


def is_litter(name: str) -> bool:
    """Whether an operating system put a file or folder of that name among others."""
    # macOS writes `._a.jpg` beside `a.jpg` on disks of other systems.
    return name.startswith('._') or name.lower() in _LITTER


def _no_image(name: str) -> M2DetError:
    return M2DetError(
        f'There is no image in {name}: looked for {", ".join(IMG_EXTENSIONS)}.'
    )
