"""Folders in YOLO's form: a text file of boxes for each image."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

from ....utils.images import images_in
from ....utils.texts import one_line
from ...error import DatasetError
from ..conversion import Source, convert
from ..images import read_lines
from ..splits import NAMES, Files, check_splits, relative_to
from .yolo_key_points import check_polygons
from .yolo_labels import read_labels
from .yolo_yaml import find_description, read_description

PLACES = (
    'data.yaml with names, train and val, or images/SPLIT with labels/SPLIT and '
    'classes.txt'
)
_CLASS_FILES = ('classes.txt', 'labels/classes.txt', 'obj.names')


def recognise(root: Path) -> bool:
    """Whether a folder has YOLO's description, or labels at the usual places."""
    names = [name for aliases in NAMES.values() for name in aliases]
    places = [root / 'labels', *(root / name / 'labels' for name in names)]
    return find_description(root) is not None or any(map(Path.is_dir, places))


def read(root: Path, cache: Path) -> dict[str, Files]:
    """Convert each split.

    Raises:
        DatasetError: If a split, the names of the classes, images or labels are
            missing or wrong.
    """
    description = find_description(root)
    if description is not None:
        classes, places, num_key_values = read_description(description)
        check_splits(root, places, f'{description.name}, as SPLIT: FOLDER')
    else:
        places = _usual_places(root)
        check_splits(root, places, 'images/SPLIT with labels/SPLIT')
        classes, num_key_values = _read_classes(root), None
    twice = {name for name in classes if classes.count(name) > 1}
    if twice:
        raise DatasetError(
            f'The data folder {root} has several classes named {min(twice)}: rename '
            'them, or give them one number in the labels.'
        )
    sources = {split: _sources(root, split, paths) for split, paths in places.items()}
    labels = [source.label for entries in sources.values() for source in entries]
    return convert(
        root,
        cache,
        sources,
        partial(read_labels, classes=classes, num_key_values=num_key_values),
        classes=classes,
        # Without the key kpt_shape the labels have to tell.
        check=partial(check_polygons, labels if num_key_values is None else ()),
        settings=(num_key_values,),
    )


def _usual_places(root: Path) -> dict[str, list[Path]]:
    places = {}
    for split, names in NAMES.items():
        pairs = [(root / 'images' / name, root / name / 'images') for name in names]
        found = [place for pair in pairs for place in pair if place.is_dir()]
        if found:
            places[split] = found[:1]
    return places


def _read_classes(root: Path) -> tuple[str, ...]:
    paths = [root / name for name in _CLASS_FILES]
    path = next((path for path in paths if path.is_file()), None)
    lines = read_lines(path) if path else []
    classes = tuple(line.strip() for line in lines if line.strip())
    if not classes:
        raise DatasetError(
            f'The data folder {root} has labels in YOLO form, but no names for the '
            f'classes in {path or _CLASS_FILES[0]}: write one name a line there.'
        )
    return classes


def _sources(root: Path, split: str, places: Sequence[Path]) -> list[Source]:
    """Pair the images of a split with their files of labels.

    Raises:
        DatasetError: If there are none, one is listed twice, or two share a file.
    """
    images = [image for place in places for image in _images(root, place)]
    listing = ', '.join(map(str, places))
    if not images:
        raise DatasetError(f'No image for {split} is in {listing}: put some there.')
    owners: dict[Path, Path] = {}
    for image in images:
        label = _label_file(root, image)
        if owners.get(label) == image:
            raise DatasetError(
                f'The image {image} is listed twice for {split}, in {listing}: list '
                'it once.'
            )
        if label in owners:
            raise DatasetError(
                f'The images {owners[label]} and {image} of {split} share the labels '
                f'{label}: rename or remove one.'
            )
        owners[label] = image
    if not any(label.is_file() for label in owners):
        raise DatasetError(
            f'No image for {split} has labels: put those of {images[0]} into '
            f'{next(iter(owners))}, and so on.'
        )
    return [Source(image, label) for label, image in owners.items()]


def _images(root: Path, place: Path) -> Iterator[Path]:
    """Find the images of a folder and its subfolders, or of a list of paths."""
    if place.is_dir():
        yield from images_in(place)
        return
    for line in filter(None, map(str.strip, read_lines(place))):
        paths = [folder / line for folder in (place.parent, root)]
        image = next(filter(os.path.isfile, paths), None)
        if image is None:
            raise DatasetError(
                f'The list {place} names the image {one_line(line)}, which does not '
                f'exist: correct it, relative to {place.parent}.'
            )
        yield image


def _label_file(root: Path, image: Path) -> Path:
    """Return YOLO's path of the labels: ``labels`` in place of the last ``images``."""
    parts = list(PurePath(relative_to(root, image)).with_suffix('.txt').parts)
    folders = parts[:-1]
    if 'images' in folders:
        parts[len(folders) - 1 - folders[::-1].index('images')] = 'labels'
    return root.joinpath(*parts)
