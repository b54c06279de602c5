"""Data folders as files that a config names: COCO JSON and folders of images."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mmengine.logging import print_log

from ...utils.files import write_whole
from ..coco import load_content
from ..faults import Faults, Strict
from .conversion import LabelFiles
from .folder import DataFolder, Part, read_found
from .recognition import find_data

_SHOWN = 3  # files that a warning names


@dataclass(frozen=True)
class Split:
    """A part of a data set.

    Attributes:
        ann_file: COCO JSON, an absolute path.
        images: Folder to which its ``file_name`` entries are relative, absolute.
        size: Number of images.
        allow_outside: Folders besides ``images`` in which they may lie; ``True`` for
            any.
    """

    ann_file: Path
    images: Path
    size: int
    allow_outside: bool | tuple[Path, ...] = ()


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


def read_layout(data: Path, cache: Path, *, allow_outside: bool = False) -> DataLayout:
    """Find the splits and classes of a data folder in COCO's, VOC's or YOLO's form.

    Annotations that are not COCO files already are written to ``cache``. Later calls
    reuse them until a source changes.

    Args:
        data: The data folder, or the ``data.yaml`` of one; nothing is written there.
        cache: Folder for converted annotations, created if needed.
        allow_outside: Whether images may lie outside of the folder.

    Raises:
        DatasetError: One sentence that names the first fault and the fix.
    """
    cache = Path(cache).expanduser().resolve()
    faults = Strict()
    root, kind, found = find_data(Path(data), faults)
    name = f'{found.digest()}-outside' if allow_outside else found.digest()
    out = cache / name
    folder = None
    if isinstance(found, LabelFiles):
        folder = _converted(root, kind, out, found, allow_outside=allow_outside)
    if folder is None:
        folder = read_found(root, kind, found, faults, allow_outside=allow_outside)
        _leave_out_empty(folder)
    _log_notes(faults)
    _warn_of_shared(folder.parts)
    return write_folder(folder, out)


def write_folder(folder: DataFolder, out: Path) -> DataLayout:
    """Write the annotations of a data folder that are in no file yet.

    Each split is ``OUT/SPLIT.json``. Where the split was made here, ``OUT/split.json``
    lists the images of ``train`` and ``val`` with the seed.

    Args:
        folder: What was read.
        out: The folder to write to; it is created if needed.

    Raises:
        M2DetError: If a file cannot be written.
    """
    splits = {}
    for split, part in folder.parts.items():
        ann_file = part.ann_file
        if ann_file is None:
            ann_file = out / f'{split}.json'
            write_whole(ann_file, json.dumps(part.content) + '\n')
        splits[split] = split_in_file(folder, part, ann_file)
    if folder.split_seed is not None:
        chosen = {split: _names(folder.parts[split]) for split in ('train', 'val')}
        content = {'seed': folder.split_seed, **chosen}
        write_whole(out / 'split.json', json.dumps(content, indent=1) + '\n')
    return DataLayout(
        folder.classes,
        folder.kind,
        splits['train'],
        splits['val'],
        splits.get('test'),
    )


def split_in_file(folder: DataFolder, part: Part, ann_file: Path) -> Split:
    """Describe a part of a data folder, whose annotations lie in a file."""
    size = len(part.content['images'])
    return Split(ann_file, part.images, size, folder.allow_outside)


def _names(part: Part) -> list[str]:
    return [image['file_name'] for image in part.content['images']]


def _converted(
    root: Path, kind: str, out: Path, found: LabelFiles, *, allow_outside: bool
) -> DataFolder | None:
    """Return what an earlier call wrote, if all of it is there."""
    files = {x: out / f'{x}.json' for x in dict.fromkeys((*found.sources, 'val'))}
    if not all(path.is_file() for path in files.values()):
        return None
    parts = {
        split: Part(root, load_content(path)[0], ann_file=path)
        for split, path in files.items()
    }
    categories = parts['train'].content['categories']
    classes = tuple(x['name'] for x in categories)
    allowed = allow_outside or (root, *found.named)
    return DataFolder(root, kind, classes, parts, allow_outside=allowed)


def _leave_out_empty(folder: DataFolder) -> None:
    """Leave out the boxes without area of converted labels, and count them."""
    files = []
    for part in folder.parts.values():
        if part.sources:
            items = part.content['annotations']
            empty = [item for item in items if not item['area']]
            files += [part.sources[item['image_id']].name for item in empty]
            part.content['annotations'] = [item for item in items if item['area']]
    if files:
        _warn(
            f'{len(files)} boxes without area are left out, as in '
            f'{", ".join(dict.fromkeys(files[:_SHOWN]))}.'
        )


def _log_notes(faults: Faults) -> None:
    for finding in faults.findings.values():
        for example in finding.examples:
            _warn(example)
        # Fewer examples than are kept are all there were.
        if finding.count > len(finding.examples) == faults.shown:
            _warn(f'There are {finding.count} {finding.kind.what}.')


def _warn_of_shared(parts: Mapping[str, Part]) -> None:
    images = {
        split: {part.images / name for name in _names(part)}
        for split, part in parts.items()
    }
    for one, other in combinations(images, 2):
        shared = images[one] & images[other]
        if shared:
            _warn(
                f'{len(shared)} images are in {one} and in {other}, as '
                f'{min(shared)}: AP on them means little.'
            )


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
