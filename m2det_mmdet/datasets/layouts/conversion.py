"""Folders in which each image has a file of labels, converted to COCO's form."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..faults import Faults
from .labels import Labels, Reader, Source, read_sound
from .parts import Part
from .splits import relative_to

# Part of the fingerprint: with a new number, files of an older conversion are not used.
_REVISION = 3


@dataclass
class LabelFiles:
    """What was found of a folder with a file of labels for each image.

    Attributes:
        root: The data folder; ``file_name`` is relative to it.
        sources: The images of each split, at least of ``train``.
        open: Makes the function that reads the labels of an image. It may look at all
            of them first, and reports what is wrong with them together.
        classes: Names of all classes; by default those in the labels, sorted.
        settings: What else decides how labels are read.
        report_rest: Reports the labels that belong to no image.
        named: Folders of images that may be links, or lie outside of ``root``.
    """

    root: Path
    sources: dict[str, list[Source]]
    open: Callable[[Faults], Reader]
    classes: Sequence[str] | None = None
    settings: tuple[Hashable, ...] = ()
    report_rest: Callable[[Faults], None] = lambda _: None
    named: tuple[Path, ...] = ()

    def place(self, split: str) -> str:
        """Name a split, at the start of a sentence."""
        return f'The {split} split of {self.root}'

    def digest(self) -> str:
        """Return a fingerprint of all that decides what is read.

        These are the classes and settings, and the paths, sizes and times of images
        and labels.
        """
        files = (
            (split, *entry)
            for split, entries in self.sources.items()
            for entry in entries
        )
        return fingerprint((str(self.root), self.classes, *self.settings), files)

    def read(self, faults: Faults) -> dict[str, Part]:
        """Read all labels; what cannot be read is left out.

        Boxes without area are kept: what becomes of them is decided later.
        """
        reader = self.open(faults)
        labels = {
            split: _readable(entries, reader, faults)
            for split, entries in self.sources.items()
        }
        classes = self.classes or _names(labels)
        return {
            split: _to_part(self.root, entries, classes)
            for split, entries in labels.items()
        }


_Read = list[tuple[Source, Labels]]


def fingerprint(
    settings: tuple[Hashable, ...], files: Iterable[tuple[str | Path, ...]]
) -> str:
    """Return what changes with settings, and with the paths, sizes and times of files.

    Args:
        settings: Anything whose text tells it from others.
        files: Some files each, after the name of their split.
    """
    digest = sha256(repr((_REVISION, settings)).encode())
    for split, *paths in files:
        digest.update(repr((split, *map(_state, map(Path, paths)))).encode())
    return digest.hexdigest()[:16]


def _state(path: Path) -> tuple[str, int, int] | str:
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return str(path), status.st_size, status.st_mtime_ns


def _readable(entries: Sequence[Source], reader: Reader, faults: Faults) -> _Read:
    pairs = [(entry, read_sound(entry, reader, faults)) for entry in entries]
    return [(entry, labels) for entry, labels in pairs if labels is not None]


def _names(labels: Mapping[str, _Read]) -> list[str]:
    return sorted(
        {
            box.name
            for entries in labels.values()
            for _, image in entries
            for box in image.boxes
        }
    )


def _to_part(root: Path, entries: _Read, classes: Sequence[str]) -> Part:
    ids = {name: index for index, name in enumerate(classes, start=1)}
    images, annotations = [], []
    for image_id, (source, ((width, height), boxes)) in enumerate(entries, start=1):
        name = relative_to(root, source.image)
        images.append(
            {'id': image_id, 'file_name': name, 'width': width, 'height': height}
        )
        # Ids from 1 on: pycocotools takes an annotation id of 0 for "no match".
        annotations += [
            {
                'id': index,
                'image_id': image_id,
                'category_id': ids[item.name],
                'bbox': item.box,
                'area': max(item.box[2], 0) * max(item.box[3], 0),
                'iscrowd': int(item.crowd),
            }
            for index, item in enumerate(boxes, start=len(annotations) + 1)
        ]
    categories = [{'id': id_, 'name': name} for name, id_ in ids.items()]
    content: dict[str, list[dict[str, Any]]] = {
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }
    files = {index: source.label for index, (source, _) in enumerate(entries, start=1)}
    return Part(root, content, files)
