"""Folders in VOC's form: an XML file for each image, and lists of the splits."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ....utils.images import images_in
from ....utils.texts import one_line, shown
from ...error import DatasetError
from ..conversion import LabelledBox, Labels, Source, convert
from ..images import image_size, read_lines
from ..splits import NAMES, Files, check_splits

PLACES = (
    'ImageSets/Main/SPLIT.txt with Annotations/*.xml and JPEGImages, here or in '
    'folders VOC20*'
)
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


def recognise(root: Path) -> bool:
    """Whether a folder, or a folder ``VOC20*`` in it, has VOC's XML files."""
    return bool(_parts(root))


def read(root: Path, cache: Path) -> dict[str, Files]:
    """Convert each split; several years, such as VOC2007 and VOC2012, are joined.

    Raises:
        DatasetError: If a split, image or XML file is missing or cannot be read.
    """
    sources: dict[str, list[Source]] = {}
    for part in _parts(root):
        images = _images_by_stem(part / 'JPEGImages')
        for split, names in NAMES.items():
            paths = [part / 'ImageSets' / 'Main' / f'{name}.txt' for name in names]
            path = next((path for path in paths if path.is_file()), None)
            if path is not None:
                sources.setdefault(split, []).extend(_sources(part, path, images))
    check_splits(root, sources, 'ImageSets/Main/SPLIT.txt, one name a line')
    return convert(root, cache, sources, read_labels)


def read_labels(source: Source) -> Labels:
    """Read an XML file as mmdet's ``XMLDataset`` does.

    Coordinates are cut to integers and reduced by one, since VOC counts pixels from
    one; the width is ``xmax - xmin``. Difficult objects become crowds, which
    ``CocoDataset`` ignores as ``XMLDataset`` ignores difficult ones. If the file has no
    size, it is read from the image.

    Raises:
        DatasetError: If a file cannot be read; it names the file and the reason.
    """
    path = source.label
    try:
        tree = _parse(path.read_bytes())
        boxes = [_labelled_box(item) for item in tree.findall('object')]
        width, height = (
            int(float(tree.findtext(f'size/{side}') or 0))
            for side in ('width', 'height')
        )
    except FileNotFoundError as error:
        raise DatasetError(
            f'The image {source.image} has no annotation file {path}: restore it, or '
            'take the name out of ImageSets/Main.'
        ) from error
    # An unknown encoding raises LookupError.
    except (
        OSError,
        ElementTree.ParseError,
        ValueError,
        OverflowError,
        LookupError,
    ) as error:
        raise DatasetError(
            f'The annotation file {path} cannot be read as VOC XML '
            f'({one_line(error)}): mend it or export it again.'
        ) from error
    known = width > 0 and height > 0
    return Labels((width, height) if known else image_size(source.image), boxes)


def _parts(root: Path) -> list[Path]:
    years = [*sorted(root.glob('VOC20*')), *sorted(root.glob('VOCdevkit/VOC20*'))]
    return [part for part in (root, *years) if any(part.glob('Annotations/*.xml'))]


def _images_by_stem(folder: Path) -> dict[str, list[Path]]:
    images = defaultdict(list)
    for path in images_in(folder) if folder.is_dir() else ():
        if path.parent == folder:
            images[path.stem].append(path)
    return images


def _sources(
    part: Path, list_file: Path, images: Mapping[str, Sequence[Path]]
) -> list[Source]:
    """Pair the images that a list names with their XML files."""
    names = [line.strip() for line in read_lines(list_file) if line.strip()]
    name, count = next(iter(Counter(names).most_common(1)), ('', 0))
    if count != 1:
        raise DatasetError(
            f'The list {list_file} names {one_line(name) or "no image"}'
            f'{f" {count} times" if count else ""}: write each name once.'
        )
    for name in names:
        if len(images.get(name, ())) != 1:
            found = ' and '.join(path.name for path in images.get(name, ())) or 'none'
            raise DatasetError(
                f'The list {list_file} names {one_line(name)}, for which '
                f'{part / "JPEGImages"} must have one image, and has {found}: mend the '
                'list or the folder.'
            )
    labels = part / 'Annotations'
    return [Source(images[name][0], labels / f'{name}.xml') for name in names]


def _parse(content: bytes) -> ElementTree.Element:
    # The entities of a DOCTYPE can stand for billions of characters. Without zeros
    # UTF-16 is read like UTF-8 here.
    if b'<!DOCTYPE' in content.replace(b'\0', b''):
        raise ValueError('it has a DOCTYPE, which VOC files do not need')
    return ElementTree.fromstring(content)


def _labelled_box(item: ElementTree.Element) -> LabelledBox:
    name = (item.findtext('name') or '').strip()
    if not name:
        raise ValueError('an object has no name')
    corners = [item.findtext(f'bndbox/{corner}') for corner in _CORNERS]
    if None in corners:
        listing = ', '.join(_CORNERS)
        raise ValueError(f'an object {shown(name)} lacks one of {listing}')
    x1, y1, x2, y2 = (int(float(corner)) - 1 for corner in corners)
    difficult = bool(int(item.findtext('difficult') or 0))
    return LabelledBox(name, (x1, y1, x2 - x1, y2 - y1), difficult)
