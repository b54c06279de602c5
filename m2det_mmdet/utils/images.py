"""Finds and reads the images that a user names."""

import os
from collections.abc import Iterable, Iterator, Sequence
from glob import glob
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from .errors import M2DetError


def find_images(inputs: Sequence[str], exclude: Path | None = None) -> list[Path]:
    """List the images that ``inputs`` name, each once, in their order.

    Args:
        inputs: Images, folders (with the folders in them) and glob patterns.
        exclude: Folder whose content is left out: where results go, if anywhere.

    Raises:
        M2DetError: If an input names no file or no image.
    """
    found: dict[Path, None] = {}
    exclude = None if exclude is None else exclude.resolve()
    for name in inputs:
        paths = [Path(os.path.abspath(path)) for path in _expand(name)]
        paths = [path for path in paths if exclude not in path.resolve().parents]
        if not paths:
            raise M2DetError(
                f'There is no image in {name}: looked for {", ".join(IMG_EXTENSIONS)}.'
            )
        found.update(dict.fromkeys(paths))
    return list(found)


def common_folder(paths: Iterable[Path]) -> Path:
    """Deepest folder that holds all ``paths``: names relative to it are unique."""
    return Path(os.path.commonpath([path.parent for path in paths]))


def read_images(paths: Iterable[Path]) -> Iterator[tuple[Path, np.ndarray | None]]:
    """Read images as BGR arrays; ``None`` for what is no image."""
    for path in paths:
        try:
            yield path, mmcv.imread(path)
        except (OSError, cv2.error):
            yield path, None


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return sorted(filter(_is_image, path.rglob('*')))
    if path.is_file():
        return [path]
    matches = sorted(map(Path, glob(name, recursive=True)))
    if not matches:
        raise M2DetError(f'There is no image, folder or match of {name}.')
    return list(filter(_is_image, matches))


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMG_EXTENSIONS
