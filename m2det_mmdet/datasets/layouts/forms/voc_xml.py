"""An XML file of labels in VOC's form."""

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from ....utils.regular_files import read_regular
from ....utils.texts import one_line, shown
from ...error import DatasetError
from ...faults import Faults
from ..images import image_size
from ..labels import (
    LABEL_OBJECT,
    LABEL_SHAPE,
    LABEL_UNREADABLE,
    SIZE_UNKNOWN,
    LabelledBox,
    Labels,
    Source,
)

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
# An unknown encoding raises LookupError.
_ERRORS = (OSError, ElementTree.ParseError, ValueError, OverflowError, LookupError)


def read_labels(source: Source, faults: Faults) -> Labels | None:
    """Read an XML file as mmdet's ``XMLDataset`` does.

    Coordinates are cut to integers and reduced by one, since VOC counts pixels from
    one; the width is ``xmax - xmin``. Difficult objects become crowds, which
    ``CocoDataset`` ignores as ``XMLDataset`` ignores difficult ones. If the file has no
    size, it is read from the image. Of a rotated box or a polygon, which some tools
    write in its place, the box around it is taken.

    Returns:
        The labels; ``None`` if the file cannot be read, or the size is not known.
    """
    try:
        tree = parse(read_regular(source.label))
        width, height = (
            int(float(tree.findtext(f'size/{side}') or 0))
            for side in ('width', 'height')
        )
    except FileNotFoundError:
        faults.report(
            LABEL_UNREADABLE,
            f'The image {source.image} has no annotation file {source.label}: restore '
            'it, or take the name out of ImageSets/Main.',
        )
        return None
    except _ERRORS as error:
        faults.report(LABEL_UNREADABLE, _sentence(source, error))
        return None
    boxes = _boxes(source, tree, faults)
    if width > 0 and height > 0:
        return Labels((width, height), boxes)
    try:
        return Labels(image_size(source.image), boxes)
    except DatasetError as error:
        faults.report(SIZE_UNKNOWN, str(error))
        return None


def parse(content: bytes) -> ElementTree.Element:
    """Parse XML without entities, which can stand for billions of characters.

    Raises:
        ValueError: If it has a DOCTYPE, which declares them, or is not VOC's.
        ElementTree.ParseError: If it is no XML.
    """
    # Without zeros UTF-16 is read like UTF-8 here.
    if b'<!DOCTYPE' in content.replace(b'\0', b''):
        raise ValueError('it has a DOCTYPE, which VOC files do not need')
    tree = ElementTree.fromstring(content)
    if tree.tag != 'annotation':
        raise ValueError(
            f'it has <{one_line(tree.tag, 60)}> where VOC has <annotation>'
        )
    return tree


def image_names(path: Path) -> list[str]:
    """Return what a file calls its image: the path, then the name."""
    try:
        tree = parse(read_regular(path))
    except _ERRORS:
        return []
    names = [(tree.findtext(key) or '').strip() for key in ('path', 'filename')]
    return [name for name in names if name]


def _boxes(
    source: Source, tree: ElementTree.Element, faults: Faults
) -> list[LabelledBox]:
    boxes = []
    num_shapes = 0
    for item in tree.findall('object'):
        try:
            boxes.append(_labelled_box(item))
        except (ValueError, OverflowError) as error:
            faults.report(LABEL_OBJECT, _sentence(source, error))
        else:
            num_shapes += item.find('bndbox') is None
    if num_shapes:
        faults.report(
            LABEL_SHAPE,
            f'{source.label} has objects without bndbox: the boxes around their '
            'rotated boxes or polygons are taken.',
            num_shapes,
        )
    return boxes


def _sentence(source: Source, error: Exception) -> str:
    return (
        f'The annotation file {source.label} cannot be read as VOC XML '
        f'({one_line(error)}): mend it or export it again.'
    )


def _labelled_box(item: ElementTree.Element) -> LabelledBox:
    name = (item.findtext('name') or '').strip()
    if not name:
        raise ValueError('an object has no name')
    corners = _corners(item)
    if corners is None:
        listing = ', '.join(_CORNERS)
        raise ValueError(f'an object {shown(name)} lacks one of {listing}')
    if _are_fractions([float(corner) for corner in corners]):
        raise ValueError(
            f'an object {shown(name)} has corners in 0..1, where VOC has pixels'
        )
    x1, y1, x2, y2 = (int(float(corner)) - 1 for corner in corners)
    difficult = bool(int(item.findtext('difficult') or 0))
    return LabelledBox(name, (x1, y1, x2 - x1, y2 - y1), difficult)


def _are_fractions(corners: Sequence[float]) -> bool:
    """Whether corners are parts of the image, which would be cut to 0 or 1."""
    x1, y1, x2, y2 = corners
    return 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 and corners != [0, 0, 1, 1]


def _corners(item: ElementTree.Element) -> list[str] | list[float] | None:
    """Return x1, y1, x2, y2 of an object, or of the box around it."""
    corners = [item.findtext(f'bndbox/{corner}') for corner in _CORNERS]
    if None not in corners:
        return corners
    if item.find('bndbox') is not None:
        return None
    rotated = [item.findtext(f'robndbox/{x}') for x in ('cx', 'cy', 'w', 'h', 'angle')]
    if None not in rotated:
        return _around_rotated(*map(float, rotated))
    points = [(x.tag, float(x.text or 'nan')) for x in item.findall('polygon/*')]
    xs, ys = ([value for tag, value in points if tag[:1] == axis] for axis in 'xy')
    return [min(xs), min(ys), max(xs), max(ys)] if xs and ys else None


def _around_rotated(
    cx: float, cy: float, width: float, height: float, angle: float
) -> list[float]:
    """Return the corners of the box around a rotated one; the angle is in radians."""
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    half_w, half_h = (
        (width * cos + height * sin) / 2,
        (width * sin + height * cos) / 2,
    )
    corners = (cx - half_w, cy - half_h, cx + half_w, cy + half_h)
    # Corners are cut to integers: 17.9999999 should be 18.
    return [round(corner, 3) for corner in corners]
