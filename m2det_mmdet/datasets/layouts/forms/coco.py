"""Folders in COCO's form: annotation files at the usual places."""

from pathlib import Path

from ...error import DatasetError
from ..splits import NAMES, Files, check_splits

# Relative to the data folder; the first pattern that matches a file is used.
_PATTERNS = (
    'annotations/instances_{}*.json',
    'annotations/{}.json',
    'annotations_coco/{}.json',
    '{}/_annotations.coco.json',
)
PLACES = ', '.join(pattern.format('SPLIT') for pattern in _PATTERNS)


def recognise(root: Path) -> bool:
    """Whether a folder has an annotation file at one of the usual places."""
    return any(_annotations(root, split) for split in NAMES)


def read(root: Path, _cache: Path) -> dict[str, Files]:
    """Find the annotation file of each split.

    Raises:
        DatasetError: If ``train`` or ``val`` is missing or a split has several files.
    """
    found = {}
    for split in NAMES:
        paths = _annotations(root, split)
        if len(paths) > 1:
            listing = ', '.join(str(path.relative_to(root)) for path in paths)
            raise DatasetError(
                f'The data folder {root} has {len(paths)} annotation files for '
                f'{split}, {listing}: leave one of them there.'
            )
        if paths:
            found[split] = Files(paths[0], _image_folders(root, split, paths[0]))
    check_splits(root, found, f'one of {PLACES}')
    return found


def _annotations(root: Path, split: str) -> list[Path]:
    for pattern in _PATTERNS:
        for name in NAMES[split]:
            if paths := sorted(root.glob(pattern.format(name))):
                return paths
    return []


def _image_folders(root: Path, split: str, ann_file: Path) -> tuple[Path, ...]:
    """List the folders where the images may be, the most likely first."""
    names = dict.fromkeys((ann_file.stem.removeprefix('instances_'), *NAMES[split]))
    own = [folder / name for name in names for folder in (root, root / 'images')]
    return (*own, root / 'JPEGImages', root / 'images', ann_file.parent, root)
