"""Labels of other forms, written as COCO JSON once and then reused."""

import json
import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log

from ...utils.files import write_whole
from ...utils.texts import shown
from ..error import DatasetError
from ..values import is_box, is_positive, is_text
from .splits import Files, relative_to

# Part of the fingerprint: with a new number, files of an older conversion are not used.
_REVISION = 2
_SHOWN = 3  # files that a warning names


class Source(NamedTuple):
    """An image and the file of its labels, which may be missing.

    Attributes:
        image: Absolute path below the data folder, or beside it.
        label: Absolute path.
    """

    image: Path
    label: Path


class LabelledBox(NamedTuple):
    """An object.

    Attributes:
        name: Its class.
        box: xywh, pixels of the image.
        crowd: Whether training and testing ignore it.
    """

    name: str
    box: tuple[float, float, float, float]
    crowd: bool = False


class Labels(NamedTuple):
    """The labels of an image: its width and height in pixels, and its objects."""

    size: tuple[int, int]
    boxes: list[LabelledBox]


Sources = Mapping[str, Sequence[Source]]


def convert(
    root: Path,
    cache: Path,
    sources: Sources,
    read: Callable[[Source], Labels],
    *,
    classes: Sequence[str] | None = None,
    check: Callable[[], None] = lambda: None,
    settings: Sequence[Hashable] = (),
) -> dict[str, Files]:
    """Write the labels of each split as COCO JSON, unless the files exist.

    Args:
        root: The data folder; ``file_name`` is relative to it.
        cache: Folder to write to. The name of a subfolder is a fingerprint of the
            classes and settings, and of the paths, sizes and times of the sources.
        sources: The images of each split.
        read: Reads the labels of an image.
        classes: Names of all classes; by default those in the labels, sorted.
        check: Called before anything is read.
        settings: What else decides how labels are read.

    Raises:
        M2DetError: What ``check`` and ``read`` raise, that a label has a value that is
            none of COCO's, or that the cache cannot be written.
    """
    folder = cache / _digest(root, sources, (classes, *settings))
    ann_files = {split: folder / f'{split}.json' for split in sources}
    if not all(path.is_file() for path in ann_files.values()):
        check()
        labels = {
            split: [(source, _checked(source, read(source))) for source in entries]
            for split, entries in sources.items()
        }
        classes = classes or sorted(
            {
                box.name
                for entries in labels.values()
                for _, image in entries
                for box in image.boxes
            }
        )
        for split, path in ann_files.items():
            content = _to_coco(root, labels[split], classes)
            write_whole(path, json.dumps(content) + '\n')
        _warn_of_left_out(labels)
    return {split: Files(path, (root,)) for split, path in ann_files.items()}


def _checked(source: Source, labels: Labels) -> Labels:
    """Return the labels of an image if COCO's form can hold them."""
    problems = [
        f'the size {shown(labels.size)}, which is not two positive numbers'
        for side in labels.size
        if not is_positive(side)
    ]
    for name, box, _ in labels.boxes:
        if not is_text(name):
            problems.append(f'the name {shown(name)}, which is not text of one line')
        if not is_box(box):
            problems.append(f'the box {shown(box)}, which is not four finite numbers')
    if problems:
        raise DatasetError(
            f'The annotation file {source.label} gives {problems[0]}: mend or remove '
            'it.'
        )
    return labels


def _digest(root: Path, sources: Sources, settings: Sequence[Hashable]) -> str:
    digest = sha256(repr((_REVISION, str(root), settings)).encode())
    for split, entries in sources.items():
        for entry in entries:
            digest.update(repr((split, *map(_state, entry))).encode())
    return digest.hexdigest()[:16]


def _state(path: Path) -> tuple[str, int, int] | str:
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return str(path), status.st_size, status.st_mtime_ns


def _to_coco(
    root: Path, labels: list[tuple[Source, Labels]], classes: Sequence[str]
) -> dict[str, list[dict]]:
    ids = {name: index for index, name in enumerate(classes, start=1)}
    images, annotations = [], []
    for image_id, (source, (size, boxes)) in enumerate(labels, start=1):
        name = relative_to(root, source.image)
        images.append(
            {'id': image_id, 'file_name': name, 'width': size[0], 'height': size[1]}
        )
        annotations += [
            {
                'image_id': image_id,
                'category_id': ids[item.name],
                'bbox': item.box,
                'area': item.box[2] * item.box[3],
                'iscrowd': int(item.crowd),
            }
            for item in boxes
            if _has_area(item)
        ]
    # From 1 on: pycocotools takes an annotation id of 0 for "no match".
    for index, annotation in enumerate(annotations, start=1):
        annotation['id'] = index
    categories = [{'id': id_, 'name': name} for name, id_ in ids.items()]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _has_area(item: LabelledBox) -> bool:
    return item.box[2] > 0 and item.box[3] > 0


def _warn_of_left_out(labels: Mapping[str, list[tuple[Source, Labels]]]) -> None:
    files = [
        source.label.name
        for entries in labels.values()
        for source, image in entries
        for item in image.boxes
        if not _has_area(item)
    ]
    if files:
        named = ', '.join(dict.fromkeys(files[:_SHOWN]))
        print_log(
            f'{len(files)} boxes without area are left out, as in {named}.',
            logger='current',
            level=logging.WARNING,
        )
