"""The three splits that all forms have, and their usual names."""

import os
from collections.abc import Container
from pathlib import Path

from ..error import DatasetError
from ..faults import Level, new_kind

_WORDS = {'train': ('train',), 'val': ('val', 'valid', 'validation'), 'test': ('test',)}
_SPLITS = {word: split for split, words in _WORDS.items() for word in words}
# Names of each split in folders and files, the usual one first. CVAT writes "Train".
NAMES = {
    split: tuple(
        name for word in words for name in (word, word.capitalize(), word.upper())
    )
    for split, words in _WORDS.items()
}

SPLIT_EMPTY = new_kind(
    'split-empty',
    Level.FAULT,
    'splits without an image that can be used',
    'They are taken as missing: fill them, or leave them out.',
)


def split_of(path: str) -> str | None:
    """Return the split that a folder in a relative path is named after, if any.

    Darknet's form has them as ``obj_train_data``.
    """
    folders = path.lower().split('/')[:-1]
    words = (x.removeprefix('obj_').removesuffix('_data') for x in folders)
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def check_train(root: Path, found: Container[str], places: str) -> None:
    """Raise if there are no images to train on.

    Args:
        root: The data folder.
        found: Names of the splits that were found.
        places: Where splits are searched, with ``SPLIT`` for the name.

    Raises:
        DatasetError: If ``train`` is missing.
    """
    if 'train' not in found:
        place = places.replace('SPLIT', 'train')
        raise DatasetError(
            f'The data folder {root} has no train split: put one in {place}.'
        )


def relative_to(root: Path, path: Path) -> str:
    """Return a path relative to a folder, with ``..`` if it is outside."""
    return Path(os.path.relpath(path, root)).as_posix()
