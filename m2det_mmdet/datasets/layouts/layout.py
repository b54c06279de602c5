"""Recognise a data folder's form, and check what every form needs."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log

from ..coco import CheckedCOCO, load_annotations
from ..error import DatasetError
from .forms import coco, voc, yolo
from .splits import Files

_PROBES = 5  # images that must be in a folder to choose it


@dataclass(frozen=True)
class Split:
    """A part of a data set.

    Attributes:
        ann_file: COCO JSON, an absolute path.
        images: Folder to which its ``file_name`` entries are relative, absolute.
        size: Number of images.
    """

    ann_file: Path
    images: Path
    size: int


@dataclass(frozen=True)
class DataLayout:
    """A data set on disk, with everything that a config needs.

    Attributes:
        classes: Names in the order of the categories, for ``metainfo.classes``.
        kind: Form of the folder: ``'coco'``, ``'voc'`` or ``'yolo'``.
        train: Images to learn from.
        val: Images to choose by.
        test: Images to report on, if there are any.
    """

    classes: tuple[str, ...]
    kind: str
    train: Split
    val: Split
    test: Split | None


class _Form(NamedTuple):
    recognise: Callable[[Path], bool]
    read: Callable[[Path, Path], dict[str, Files]]
    places: str


# If a folder has several forms, the first is used: COCO's needs no conversion.
_FORMS = {
    'coco': _Form(coco.recognise, coco.read, coco.PLACES),
    'voc': _Form(voc.recognise, voc.read, voc.PLACES),
    'yolo': _Form(yolo.recognise, yolo.read, yolo.PLACES),
}


def read_layout(root: Path, cache: Path) -> DataLayout:
    """Find the splits and classes of a data folder in COCO's, VOC's or YOLO's form.

    Annotations of the last two are written to ``cache`` as COCO JSON. Later calls reuse
    them until a source changes.

    Args:
        root: The data folder; nothing is written there.
        cache: Folder for converted annotations, created if needed.

    Raises:
        DatasetError: One sentence that names the file or value and the fix.
    """
    root, cache = Path(root).expanduser().resolve(), Path(cache).expanduser().resolve()
    kind = _recognise(root)
    files = _FORMS[kind].read(root, cache)
    indexed = {name: load_annotations(found.ann_file) for name, found in files.items()}
    classes = _common_classes(files, indexed)
    splits, images = {}, {}
    for name, (ann_file, folders) in files.items():
        _check_content(ann_file, indexed[name])
        names = [image['file_name'] for image in indexed[name].dataset['images']]
        folder = _image_folder(ann_file, folders, names)
        splits[name] = Split(ann_file, folder, len(names))
        images[name] = {folder / file_name for file_name in names}
    _warn_of_shared(images)
    return DataLayout(classes, kind, splits['train'], splits['val'], splits.get('test'))


def _recognise(root: Path) -> str:
    if not root.is_dir():
        raise DatasetError(f'The data folder {root} is no folder: check the path.')
    kinds = [kind for kind, form in _FORMS.items() if form.recognise(root)]
    if not kinds:
        places = '; '.join(f'{kind}: {form.places}' for kind, form in _FORMS.items())
        raise DatasetError(
            f'The data folder {root} holds {_listing(root)}, which is no form of data '
            f'known here: arrange it as one of them ({places}).'
        )
    if len(kinds) > 1:
        print_log(
            f'{root} holds data in the forms {", ".join(kinds)}: {kinds[0]} is read.',
            logger='current',
        )
    return kinds[0]


def _listing(root: Path, most: int = 8) -> str:
    names = sorted(path.name for path in root.iterdir())
    more = f' and {len(names) - most} more' if names[most:] else ''
    return (', '.join(names[:most]) or 'nothing') + more


def _common_classes(
    files: Mapping[str, Files], indexed: Mapping[str, CheckedCOCO]
) -> tuple[str, ...]:
    """Return the classes, which must be the same in all splits.

    A category without objects that is the parent of others is not a class: Roboflow
    writes one into each export.
    """
    names = {
        split: [category['name'] for category in content.dataset['categories']]
        for split, content in indexed.items()
    }
    for split, others in names.items():
        if others != names['train']:
            raise DatasetError(
                f'The categories of {files[split].ann_file} are {_join(others)}, but '
                f'those of {files["train"].ann_file} are {_join(names["train"])}: '
                'give both the same, in the same order.'
            )
    twice = {name for name in names['train'] if names['train'].count(name) > 1}
    if twice:
        raise DatasetError(
            f'The annotation file {files["train"].ann_file} has the category '
            f'{min(twice)} more than once: rename or merge them.'
        )
    unused = set.intersection(*map(_unused_parents, indexed.values()))
    classes = tuple(name for name in names['train'] if name not in unused)
    if not classes:
        raise DatasetError(
            f'The annotation file {files["train"].ann_file} has no category: export '
            'it with its classes.'
        )
    return classes


def _join(names: Sequence[str]) -> str:
    return ', '.join(map(str, names)) or 'none'


def _unused_parents(content: CheckedCOCO) -> set[str]:
    categories = content.dataset['categories']
    parents = {
        category['supercategory']
        for category in categories
        if category.get('supercategory') not in (None, category['name'])
    }
    used = {item['category_id'] for item in content.dataset['annotations']}
    return {
        category['name']
        for category in categories
        if category['name'] in parents and category['id'] not in used
    }


def _check_content(ann_file: Path, content: CheckedCOCO) -> None:
    for name, what in (('images', 'image'), ('annotations', 'object')):
        if not content.dataset[name]:
            raise DatasetError(
                f'The annotation file {ann_file} has no {what}: fill the split, or '
                'leave it out if it is the test split.'
            )


def _image_folder(
    ann_file: Path, folders: Sequence[Path], names: Sequence[str]
) -> Path:
    """Return the folder that has the first images, and check that it has all others."""
    for folder in folders:
        if all(os.path.isfile(folder / name) for name in names[:_PROBES]):
            break
    else:
        listing = ', '.join(str(folder) for folder in folders)
        raise DatasetError(
            f'The first images of {ann_file}, {_join(names[:_PROBES])}, do not lie '
            f'together in any of {listing}: put them there or mend file_name.'
        )
    for name in names:
        if not os.path.isfile(folder / name):
            raise DatasetError(
                f'The image {folder / name} does not exist, but {ann_file} lists it: '
                'restore the file or remove its entry.'
            )
    return folder


def _warn_of_shared(images: Mapping[str, set[Path]]) -> None:
    for one, other in combinations(images, 2):
        shared = images[one] & images[other]
        if shared:
            print_log(
                f'{len(shared)} images are in {one} and in {other}, as '
                f'{min(shared)}: AP on them means little.',
                logger='current',
                level=logging.WARNING,
            )
