"""Folders in YOLO's form: a text file of boxes for each image."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

from ....utils.image_search import images_in
from ....utils.texts import one_line, shown
from ...error import DatasetError
from ...faults import Faults, Level, new_kind
from ..conversion import LabelFiles
from ..images import lines_of
from ..labels import IMAGE_UNLABELLED, LABELS_SHARED, Reader, Source
from ..pairing import pair
from ..places import IMAGE_MISSING, PATH_FOREIGN, locate
from ..splits import NAMES, SPLIT_EMPTY, check_train, relative_to
from ..tree import Tree
from .loose import pair_loose, report_orphans
from .yolo_key_points import num_key_values
from .yolo_labels import is_label, read_labels
from .yolo_names import read_names
from .yolo_yaml import find_description, read_description

LABELS_ABSENT = new_kind(
    'labels-absent',
    Level.FAULT,
    'splits in which no image has a file of labels',
    'Their images are taken as images without objects: put the labels in place.',
)
PLACES = (
    'data.yaml with names, train and val, or images/SPLIT with labels/SPLIT and '
    'classes.txt'
)
_SNIFFED = 20  # files that are looked into


def recognise(tree: Tree) -> bool:
    """Whether a folder has YOLO's description, or labels at the usual places."""
    root = tree.root
    if find_description(root) is not None:
        return True
    names = [name for aliases in NAMES.values() for name in aliases]
    folders = ('labels', *(f'{name}/labels' for name in names))
    found = tuple(f'{name}/' for name in folders if (root / name).is_dir())
    # XML files in a folder of labels are VOC's.
    return bool(found) and not any(
        path.startswith(found) for path in tree.with_suffix('.xml')
    )


def recognise_export(tree: Tree) -> bool:
    """Whether there are images and text files of one name, with numbers in them."""
    pairs = pair(tree.images, tree.with_suffix('.txt')).found
    files = [tree.root / label for _, label in pairs]
    filled = [path for path in files if path.stat().st_size][:_SNIFFED]
    return bool(files) and (not filled or any(map(is_label, filled)))


def find(tree: Tree, faults: Faults, *, description: Path | None = None) -> LabelFiles:
    """Find the images and labels of each split.

    Args:
        tree: The data folder.
        faults: Gets what is missing.
        description: The YAML file; by default the one in the folder, if any.

    Raises:
        DatasetError: If there is nothing to train on, or there are no names of classes.
    """
    description = description or find_description(tree.root)
    given: int | None = None
    if description is not None:
        classes, places, given = read_description(description, faults)
        check_train(tree.root, places, f'{description.name}, as SPLIT: FOLDER')
    else:
        places = _usual_places(tree.root)
        if places:
            check_train(tree.root, places, 'images/SPLIT with labels/SPLIT')
        classes = read_names(tree)
    _check_names(tree.root, classes)
    if places:
        sources = _sources(tree, places, faults)
    else:
        sources = pair_loose(
            tree, '.txt', faults, is_label=is_label, keep_unlabelled=True
        )
    check_train(tree.root, sources, 'images/SPLIT with labels/SPLIT')
    found = LabelFiles(
        tree.root,
        sources,
        partial(_reader, sources=sources, classes=classes, given=given),
        classes,
        (given,),
    )
    if places:
        named = [path for paths in places.values() for path in paths]
        found.named = tuple(x if x.is_dir() else x.parent for x in named)
        found.report_rest = partial(
            report_orphans, tree=tree, sources=sources, suffix='.txt', is_label=is_label
        )
    return found


def _reader(
    faults: Faults,
    *,
    sources: dict[str, list[Source]],
    classes: Sequence[str],
    given: int | None,
) -> Reader:
    # Without the key kpt_shape the labels have to tell.
    if given is None:
        labels = (source.label for entries in sources.values() for source in entries)
        given = num_key_values(labels, faults)
    return partial(read_labels, classes=classes, num_key_values=given)


def _usual_places(root: Path) -> dict[str, list[Path]]:
    places = {}
    for split, names in NAMES.items():
        pairs = [(root / 'images' / name, root / name / 'images') for name in names]
        found = [place for pair in pairs for place in pair if place.is_dir()]
        if found:
            places[split] = found[:1]
    return places


def _check_names(root: Path, classes: Sequence[str]) -> None:
    twice = {name for name in classes if classes.count(name) > 1}
    if twice:
        raise DatasetError(
            f'The data folder {root} has several classes named {min(twice)}: rename '
            'them, or give them one number in the labels.'
        )


def _sources(
    tree: Tree, places: dict[str, list[Path]], faults: Faults
) -> dict[str, list[Source]]:
    """Pair the images of each split with their files of labels."""
    sources = {}
    for split, paths in places.items():
        found = _paired(tree, split, paths, faults)
        if found:
            sources[split] = found
            _report_unlabelled(split, found, faults)
        else:
            faults.report(
                SPLIT_EMPTY,
                f'No image for {split} is in {_listing(paths)}: put some there.',
            )
    return sources


def _paired(
    tree: Tree, split: str, places: Sequence[Path], faults: Faults
) -> list[Source]:
    owners: dict[Path, Path] = {}
    for place in places:
        for image in _images(tree, split, place, faults):
            label = _label_file(tree.root, image)
            owner = owners.setdefault(label, image)
            if owner is image:
                continue
            faults.report(
                LABELS_SHARED,
                f'The image {image} is listed twice for {split}, in '
                f'{_listing(places)}: list it once.'
                if owner == image
                else f'The images {owner} and {image} of {split} share the labels '
                f'{label}: rename or remove one.',
            )
    return [Source(image, label) for label, image in owners.items()]


def _report_unlabelled(split: str, sources: Sequence[Source], faults: Faults) -> None:
    missing = [source for source in sources if not os.path.isfile(source.label)]
    if len(missing) == len(sources):
        faults.report(
            LABELS_ABSENT,
            f'No image for {split} has labels: put those of {missing[0].image} into '
            f'{missing[0].label}, and so on.',
        )
    elif missing:
        faults.report(
            IMAGE_UNLABELLED,
            f'The image {missing[0].image} has no labels {missing[0].label}: it is '
            'taken as one without objects.',
            len(missing),
        )


def _listing(places: Sequence[Path]) -> str:
    return ', '.join(map(str, places))


def _images(tree: Tree, split: str, place: Path, faults: Faults) -> Iterator[Path]:
    """Find the images of a folder and its subfolders, or of a list of paths."""
    if place.is_dir():
        yield from images_in(place)
        return
    for line in filter(None, map(str.strip, lines_of(place, faults))):
        paths = [folder / line for folder in (place.parent, tree.root)]
        image = next(filter(os.path.isfile, paths), None)
        if image is None:
            found = locate(tree, line, split=split)
            image = tree.root / found[0] if len(found) == 1 else None
            if image is not None:
                faults.report(
                    PATH_FOREIGN,
                    f'The list {place} names the image {shown(line)}, which is no '
                    f'file here: {found[0]} is taken.',
                )
        if image is not None:
            yield image
            continue
        faults.report(
            IMAGE_MISSING,
            f'The list {place} names the image {one_line(line)}, which does not '
            f'exist: correct it, relative to {place.parent}.',
        )


def _label_file(root: Path, image: Path) -> Path:
    """Return YOLO's path of the labels: ``labels`` in place of the last ``images``."""
    parts = list(PurePath(relative_to(root, image)).with_suffix('.txt').parts)
    folders = parts[:-1]
    if 'images' in folders:
        parts[len(folders) - 1 - folders[::-1].index('images')] = 'labels'
    return root.joinpath(*parts)
