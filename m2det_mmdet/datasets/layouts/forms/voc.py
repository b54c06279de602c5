"""Folders in VOC's form: an XML file for each image, and lists of the splits or not."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ....utils.image_search import images_in
from ....utils.texts import one_line
from ...faults import Faults
from ..conversion import LabelFiles
from ..images import lines_of
from ..labels import LABELS_SHARED, Source
from ..places import IMAGE_MISSING
from ..splits import NAMES, SPLIT_EMPTY, check_train
from ..tree import Tree
from .loose import pair_loose, report_orphans
from .voc_xml import image_names, read_labels

PLACES = (
    'ImageSets/Main/SPLIT.txt with Annotations/*.xml and JPEGImages, here or in '
    'folders VOC20*'
)
_SNIFFED = 20  # files that are looked into
# CVAT lists all images in default.txt.
_WHOLE = ('trainval', 'default')


def recognise(tree: Tree) -> bool:
    """Whether a folder, or a folder ``VOC20*`` in it, has VOC's XML files."""
    return bool(_years(tree.root))


def recognise_export(tree: Tree) -> bool:
    """Whether there are VOC's XML files anywhere."""
    return any(is_voc(tree.root / path) for path in tree.with_suffix('.xml')[:_SNIFFED])


def is_voc(path: Path) -> bool:
    """Whether a file begins like VOC's XML."""
    try:
        with open(path, 'rb') as file:
            return b'<annotation>' in file.read(4096).replace(b'\0', b'')
    except OSError:
        return False


def find(tree: Tree, faults: Faults) -> LabelFiles:
    """Find the images and XML files of each split.

    They are those of the lists in ``ImageSets/Main``; several years, such as VOC2007
    and VOC2012, are joined. Without lists all that belongs together is taken.

    Raises:
        DatasetError: If there is nothing to train on.
    """
    sources: dict[str, list[Source]] = {}
    has_lists = False
    for year in _years(tree.root):
        lists = _lists(year)
        images = _images_by_stem(year / 'JPEGImages') if lists else {}
        has_lists = has_lists or bool(lists)
        for split, path in lists.items():
            if found := _sources(year, path, images, faults):
                sources.setdefault(split, []).extend(found)
    if not has_lists:
        sources = pair_loose(
            tree, '.xml', faults, is_label=is_voc, names_in=image_names
        )
    check_train(tree.root, sources, 'ImageSets/Main/SPLIT.txt, one name a line')
    found = LabelFiles(tree.root, sources, lambda _: read_labels)
    if has_lists:
        found.named = tuple(year / 'JPEGImages' for year in _years(tree.root))
        found.report_rest = partial(
            report_orphans, tree=tree, sources=sources, suffix='.xml', is_label=is_voc
        )
    return found


def _years(root: Path) -> list[Path]:
    years = [*sorted(root.glob('VOC20*')), *sorted(root.glob('VOCdevkit/VOC20*'))]
    return [part for part in (root, *years) if any(part.glob('Annotations/*.xml'))]


def _lists(year: Path) -> dict[str, Path]:
    found = {}
    for split, names in NAMES.items():
        names = (*names, *_WHOLE) if split == 'train' else names
        paths = [year / 'ImageSets' / 'Main' / f'{name}.txt' for name in names]
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            found[split] = path
    return found


def _images_by_stem(folder: Path) -> dict[str, list[Path]]:
    images = defaultdict(list)
    for path in images_in(folder) if folder.is_dir() else ():
        if path.parent == folder:
            images[path.stem].append(path)
    return images


def _sources(
    year: Path, list_file: Path, images: Mapping[str, Sequence[Path]], faults: Faults
) -> list[Source]:
    """Pair the images that a list names with their XML files."""
    lines = lines_of(list_file, faults)
    counts = Counter(line.strip() for line in lines if line.strip())
    if not counts:
        faults.report(
            SPLIT_EMPTY,
            f'The list {list_file} names no image: write each name once.',
        )
    for name, count in counts.items():
        if count > 1:
            faults.report(
                LABELS_SHARED,
                f'The list {list_file} names {one_line(name)} {count} times: write '
                'each name once.',
            )
    for name in counts:
        found = [path.name for path in images.get(name, ())]
        if len(found) != 1:
            faults.report(
                LABELS_SHARED if found else IMAGE_MISSING,
                f'The list {list_file} names {one_line(name)}, for which '
                f'{year / "JPEGImages"} must have one image, and has '
                f'{" and ".join(found) or "none"}: mend the list or the folder.',
            )
    labels = year / 'Annotations'
    return [
        Source(images[name][0], labels / f'{name}.xml')
        for name in counts
        if images.get(name)
    ]
