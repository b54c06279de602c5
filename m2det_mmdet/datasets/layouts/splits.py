"""The three splits that all forms have, and their usual names."""

import os
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

from ..error import DatasetError

# Names of each split in folders and files, the usual one first.
NAMES = {'train': ('train',), 'val': ('val', 'valid', 'validation'), 'test': ('test',)}


class Files(NamedTuple):
    """The files of a split.

    Attributes:
        ann_file: COCO JSON.
        folders: Where its images may be; the first folder that has them is used.
    """

    ann_file: Path
    folders: tuple[Path, ...]


def check_splits(root: Path, found: Container[str], places: str) -> None:
    """Raise if a split is missing that every comparison needs.

    Args:
        root: The data folder.
        found: Names of the splits that were found; ``test`` may be missing.
        places: Where splits are searched, with ``SPLIT`` for the name.

    Raises:
        DatasetError: If ``train`` or ``val`` is missing.
    """
    for split in ('train', 'val'):
        if split not in found:
            place = places.replace('SPLIT', split)
            raise DatasetError(
                f'The data folder {root} has no {split} split: put one in {place}.'
            )


def relative_to(root: Path, path: Path) -> str:
    """Return a path relative to a folder, with ``..`` if it is outside."""
    return Path(os.path.relpath(path, root)).as_posix()
