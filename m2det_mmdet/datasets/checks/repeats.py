"""Objects that are marked twice, and images that are in two splits."""

import os
from itertools import combinations

import numpy as np

from ..faults import Faults, Level, new_kind
from ..layouts.folder import DataFolder, Part
from .objects import Objects, objects_of, report_each

BOX_TWICE = new_kind(
    'box-twice',
    Level.FAULT,
    'objects that are marked again, with the same class and box',
    'They are kept, and each counts as missed in a test: remove them.',
)
IMAGE_IN_TWO_SPLITS = new_kind(
    'image-in-two-splits',
    Level.FAULT,
    'images that are in two splits',
    'AP on what was learned means little: keep an image in one split.',
)


def check_repeats(folder: DataFolder, faults: Faults) -> None:
    """Look for objects that are marked twice, and for images in two splits."""
    for split, part in folder.parts.items():
        objects = objects_of(split, part)
        report_each(
            faults,
            BOX_TWICE,
            _repeated(objects),
            lambda i, objects=objects: f'{objects.describe(i)} is marked again.',
        )
    files = {split: _files(part) for split, part in folder.parts.items()}
    for one, other in combinations(files, 2):
        for file in sorted(files[one] & files[other]):
            faults.report(
                IMAGE_IN_TWO_SPLITS, f'The image {file} is in {one} and in {other}.'
            )


def _repeated(objects: Objects) -> np.ndarray:
    """Return the indices of objects that are like an earlier one."""
    rows = np.column_stack((objects.images, objects.labels, objects.boxes))
    _, first = np.unique(rows, axis=0, return_index=True)
    return np.setdiff1d(np.arange(len(rows)), first)


def _files(part: Part) -> set[str]:
    return {
        os.path.normpath(os.path.join(part.images, image['file_name']))
        for image in part.content['images']
    }
