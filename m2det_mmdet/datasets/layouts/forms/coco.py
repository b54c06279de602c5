"""Folders in COCO's form: annotation files at the usual places, or one for all."""

from pathlib import Path
from typing import NamedTuple

from ....utils.regular_files import read_regular
from ...coco import load_content
from ...coco_form import mend_annotations
from ...error import DatasetError
from ...faults import Faults, Level, new_kind
from ..coco_images import measure_images, place_images
from ..conversion import fingerprint
from ..parts import Part
from ..splits import NAMES, check_train
from ..tree import Tree

ANNOTATIONS_UNREADABLE = new_kind(
    'annotations-unreadable',
    Level.STOP,
    'annotation files that cannot be read',
    'Their splits are left out: export them again.',
)

# Relative to the data folder; the first pattern that matches a file is used.
_PATTERNS = (
    'annotations/instances_{}*.json',
    'annotations/{}.json',
    'annotations_coco/{}.json',
    '{}/_annotations.coco.json',
)
# These names are common: such files are looked into.
_OTHER_PATTERNS = (
    'instances_{}*.json',
    '{}.json',
    '{}/annotations.json',
    '{}/labels.json',
    '{}/result.json',
)
# One file for all images, by the tool that writes it: CVAT, Label Studio, Roboflow,
# FiftyOne, and others.
_SINGLE = (
    'annotations/instances_default.json',
    'result.json',
    '_annotations.coco.json',
    'labels.json',
    'annotations.json',
)
_LISTS = (b'"images"', b'"annotations"', b'"categories"')
PLACES = ', '.join(pattern.format('SPLIT') for pattern in _PATTERNS)


class AnnFile(NamedTuple):
    """The annotations of a split.

    Attributes:
        path: COCO JSON.
        folders: Where its images may be, the most likely folder first.
        split: The split; ``None`` if the file is one for all images.
    """

    path: Path
    folders: tuple[Path, ...]
    split: str | None


class CocoFiles:
    """What was found of a folder in COCO's form.

    Args:
        tree: The data folder.
        files: The annotations of each split, at least of ``train``.
    """

    # Images lie in the folder; which one of them is a link does not matter.
    named: tuple[Path, ...] = ()

    def __init__(self, tree: Tree, files: dict[str, AnnFile]) -> None:
        self.tree = tree
        self.files = files

    def place(self, split: str) -> str:
        """Name the file of a split, at the start of a sentence."""
        return f'The annotation file {self.files[split].path}'

    def digest(self) -> str:
        """Return a fingerprint of the files of annotations."""
        paths = ((split, file.path) for split, file in self.files.items())
        return fingerprint((str(self.tree.root),), paths)

    def read(self, faults: Faults) -> dict[str, Part]:
        """Read the annotations, and find the images that they name."""
        parts = {}
        for split, file in self.files.items():
            part = self._read_part(file, faults)
            if part is not None:
                parts[split] = part
        return parts

    def report_rest(self, faults: Faults) -> None:
        """Report nothing: all annotations are in the files that are read."""

    def _read_part(self, file: AnnFile, faults: Faults) -> Part | None:
        try:
            content, is_plain = load_content(file.path)
            is_measured = measure_images(content, self.tree, file, faults)
            content, is_changed = mend_annotations(content, str(file.path), faults)
        except DatasetError as error:
            faults.report(ANNOTATIONS_UNREADABLE, str(error))
            return None
        is_exact = is_plain and not is_measured and not is_changed
        part = Part(self.tree.root, content, ann_file=file.path if is_exact else None)
        place_images(part, self.tree, file, faults)
        return part


def recognise(tree: Tree) -> bool:
    """Whether a folder has an annotation file at one of the usual places."""
    return any(_annotations(tree.root, split) for split in NAMES)


def recognise_export(tree: Tree) -> bool:
    """Whether a folder has one annotation file for all images."""
    return bool(_single(tree.root))


def find(tree: Tree, _: Faults) -> CocoFiles:
    """Find the annotation file of each split; one for all images is that of ``train``.

    Raises:
        DatasetError: If ``train`` is missing or a split has several files.
    """
    root = tree.root
    found = {}
    for split in NAMES:
        if paths := _annotations(root, split):
            path = _only(root, paths, f'for {split}')
            found[split] = AnnFile(path, _image_folders(root, split, path), split)
    if not found:
        path = _only(root, _single(root), 'that name no split')
        found['train'] = AnnFile(path, _image_folders(root, 'default', path), None)
    check_train(root, found, f'one of {PLACES}')
    return CocoFiles(tree, found)


def _annotations(root: Path, split: str) -> list[Path]:
    for pattern in (*_PATTERNS, *_OTHER_PATTERNS):
        for name in NAMES[split]:
            paths = sorted(root.glob(pattern.format(name)))
            if pattern in _OTHER_PATTERNS:
                paths = [path for path in paths if _is_coco(path)]
            if paths:
                return paths
    return []


def _single(root: Path) -> list[Path]:
    """List the files for all images, of which there should be one."""
    usual = next((path for path in map(root.joinpath, _SINGLE) if _is_coco(path)), None)
    if usual is not None:
        return [usual]
    paths = [*root.glob('*.json'), *root.glob('annotations/*.json')]
    return [path for path in sorted(paths) if _is_coco(path)]


def _only(root: Path, paths: list[Path], what: str) -> Path:
    if len(paths) > 1:
        listing = ', '.join(str(path.relative_to(root)) for path in paths)
        raise DatasetError(
            f'The data folder {root} has {len(paths)} annotation files {what}, '
            f'{listing}: leave one of them there.'
        )
    return paths[0]


def _is_coco(path: Path) -> bool:
    """Whether a file has the names of COCO's lists."""
    try:
        content = read_regular(path)
    except OSError:
        return False
    # Without zeros UTF-16 is read like UTF-8 here.
    content = content.replace(b'\0', b'')
    return all(name in content for name in _LISTS)


def _image_folders(root: Path, split: str, ann_file: Path) -> tuple[Path, ...]:
    """List the folders where the images may be, the most likely first."""
    stem = ann_file.stem.removeprefix('instances_')
    names = dict.fromkeys((stem, *NAMES.get(split, (split,))))
    own = [folder / name for name in names for folder in (root, root / 'images')]
    usual = [root / 'JPEGImages', root / 'images', root / 'data']
    return (*own, *usual, ann_file.parent, root)
