"""Read a data folder into memory, in COCO's form, with all that is wrong with it."""

from collections.abc import Callable
from pathlib import Path

from ..error import DatasetError
from ..faults import Faults, Level, new_kind
from .classes import common_classes
from .outside import leave_out_outside
from .parts import DataFolder, Part
from .recognition import Found, find_data
from .splits import SPLIT_EMPTY
from .splitting import make_val

__all__ = ['DataFolder', 'Part', 'read_folder', 'read_found']

SPLIT_UNLABELLED = new_kind(
    'split-unlabelled',
    Level.FAULT,
    'splits without an object, on which no AP can be measured',
    'Label their images. Without such a val split, images of train are taken for it.',
)
DATA_UNREADABLE = new_kind(
    'data-unreadable',
    Level.STOP,
    'data sets of which too little can be read to train on',
    'Mend what is said of it.',
)
NO_OBJECTS = new_kind(
    'no-objects',
    Level.STOP,
    'splits to train on without an object',
    'Label their images.',
)


# Looks at what was read, and may leave out images, before splits are made.
Check = Callable[[DataFolder, Faults], None]


def read_folder(
    data: Path,
    faults: Faults,
    *,
    seed: int = 0,
    check: Check | None = None,
    divide: bool = True,
    allow_outside: bool = False,
) -> DataFolder:
    """Read a data folder, with all that is wrong with it.

    Args:
        data: The folder, or the ``data.yaml`` of one in YOLO's form.
        faults: Gets what is wrong. What can be repaired is repaired, what cannot be
            read is left out.
        seed: Decides the split where the folder has none.
        check: Looks at all images before the splits are completed.
        divide: Whether images to validate on are taken from those to train on where
            the folder has none.
        allow_outside: Whether images may lie outside of the folder. Else they are left
            out, before any of them is opened whole.

    Raises:
        DatasetError: If nothing can be read: no folder, no known form, no classes. What
            was wrong before that is in ``faults``.
    """
    root, kind, found = find_data(data, faults)
    found.report_rest(faults)
    return read_found(
        root,
        kind,
        found,
        faults,
        seed=seed,
        check=check,
        divide=divide,
        allow_outside=allow_outside,
    )


def read_found(
    root: Path,
    kind: str,
    found: Found,
    faults: Faults,
    *,
    seed: int = 0,
    check: Check | None = None,
    divide: bool = True,
    allow_outside: bool = False,
) -> DataFolder:
    """Read what was found of a data folder; arguments as for :func:`read_folder`.

    Raises:
        DatasetError: As there.
    """
    parts = found.read(faults)
    if 'train' not in parts:
        raise DatasetError(
            f'{found.place("train")} cannot be read, so that there is nothing to train '
            'on: mend it or export it again.'
        )
    classes = common_classes(parts, found.place, faults)
    folders = (root, *found.named)
    if not allow_outside:
        for part in parts.values():
            leave_out_outside(part, folders, faults)
    folder = DataFolder(
        root, kind, classes, parts, allow_outside=allow_outside or folders
    )
    if check is not None:
        check(folder, faults)
    _leave_out_splits(folder, found, faults)
    if divide and 'val' not in parts:
        make_val(folder, seed, faults)
    return folder


def _leave_out_splits(folder: DataFolder, found: Found, faults: Faults) -> None:
    """Leave out splits without images, and one to validate on without objects."""
    for split, part in [*folder.parts.items()]:
        place = found.place(split)
        if not part.content['images']:
            del folder.parts[split]
            faults.report(
                SPLIT_EMPTY,
                f'{place} has no image that can be used: fill the split, or leave it '
                'out if it is the test split.',
            )
        elif not part.has_objects():
            kind = NO_OBJECTS if split == 'train' else SPLIT_UNLABELLED
            faults.report(kind, f'{place} has no object: label its images.')
            if split == 'val':
                del folder.parts[split]
    if 'train' not in folder.parts:
        raise DatasetError(f'{found.place("train")} has no image that can be used.')
