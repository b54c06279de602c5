"""Labels in VOC's form: an XML file for each image."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from ...utils.files import write_whole
from .labels import Categories, Images, LabelledBox, LabelledImage, label_paths


def paths(names: Sequence[str]) -> dict[str, str]:
    """Name the file of each image."""
    return label_paths(names, 'Annotations', '.xml')


def write(folder: Path, names: Sequence[str], images: Images, _: Categories) -> None:
    """Write ``Annotations/NAME.xml``, in the folder that VOC itself has.

    Boxes are in whole pixels, which VOC counts from 1.

    Raises:
        M2DetError: If a file cannot be written.
    """
    places = paths(names)
    for image in images():
        if image.file_name in places:
            write_whole(folder / places[image.file_name], _text(image))


def _text(image: LabelledImage) -> str:
    root = ElementTree.Element('annotation')
    name = PurePosixPath(image.file_name)
    _add(root, 'folder', name.parent.name)
    _add(root, 'filename', name.name)
    size = ElementTree.SubElement(root, 'size')
    for key, value in (('width', image.width), ('height', image.height), ('depth', 3)):
        _add(size, key, value)
    for box in image.boxes:
        _add_object(root, box, image)
    ElementTree.indent(root)
    return f'{ElementTree.tostring(root, encoding="unicode")}\n'


def _add_object(
    root: ElementTree.Element, box: LabelledBox, image: LabelledImage
) -> None:
    item = ElementTree.SubElement(root, 'object')
    _add(item, 'name', box.name)
    _add(item, 'difficult', 0)
    x1, y1, x2, y2 = box.corners
    left, right = _pixels(x1, x2, image.width)
    top, bottom = _pixels(y1, y2, image.height)
    corners = ElementTree.SubElement(item, 'bndbox')
    for key, value in zip(
        ('xmin', 'ymin', 'xmax', 'ymax'), (left, top, right, bottom), strict=True
    ):
        _add(corners, key, value)


def _pixels(first: float, last: float, side: int) -> tuple[int, int]:
    """Return the ends of a box along a side, counted from 1, as mmdet reads them.

    It takes one away from both. At the far border a pixel is lost, since tools refuse
    an end behind the last one.
    """
    high = min(round(last) + 1, max(side, 2))
    low = min(round(first) + 1, high - 1)
    return low, high


def _add(parent: ElementTree.Element, tag: str, value: object) -> None:
    ElementTree.SubElement(parent, tag).text = str(value)
