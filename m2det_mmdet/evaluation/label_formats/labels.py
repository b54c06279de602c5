"""Labels of an image, before they have a form."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...datasets.values import is_text
from ...utils.errors import M2DetError
from ...utils.texts import shown
from ..prediction_log import Entry

_DECIMALS = 2  # of a pixel


class LabelledBox(NamedTuple):
    """An object of an image.

    Attributes:
        category_id: Id of its class.
        name: Its class.
        score: From 0 to 1.
        corners: xyxy, pixels, inside the image; its sides are positive.
    """

    category_id: int
    name: str
    score: float
    corners: tuple[float, float, float, float]


class LabelledImage(NamedTuple):
    """An image and its objects; sizes are in pixels."""

    image_id: int
    file_name: str
    width: int
    height: int
    boxes: tuple[LabelledBox, ...]


# Reads all images once more, one at a time.
Images = Callable[[], Iterator[LabelledImage]]
# Names of the classes by their ids, in the order of the classes.
Categories = Mapping[int, str]


class LabelFormat(NamedTuple):
    """A form of labels.

    Attributes:
        paths: Gives, for the names of all images, the path of the labels of each that
            can have them.
        others: Paths of the other files that are written.
        write: Writes the labels of all images into a folder: gets the folder, the names
            of all images that are to be done, the images that are done, and the
            categories.
    """

    paths: Callable[[Sequence[str]], dict[str, str]]
    others: tuple[str, ...]
    write: Callable[[Path, Sequence[str], Images, Categories], None]


def to_labels(entry: Entry, is_kept: Callable[[dict[str, Any]], bool]) -> LabelledImage:
    """Convert what was found in an image.

    Boxes are cut at the border of the image; one without area is left out.

    Args:
        entry: What was found.
        is_kept: Whether a record becomes a label.
    """
    width, height = entry['width'], entry['height']
    boxes = []
    for record in filter(is_kept, entry['records']):
        x, y, w, h = record['bbox']
        corners = (
            *(_inside(x, width), _inside(y, height)),
            *(_inside(x + w, width), _inside(y + h, height)),
        )
        if corners[2] > corners[0] and corners[3] > corners[1]:
            name = record['category_name']
            box = LabelledBox(record['category_id'], name, record['score'], corners)
            boxes.append(box)
    return LabelledImage(
        entry['image_id'], entry['file_name'], width, height, tuple(boxes)
    )


def label_paths(names: Sequence[str], folder: str, suffix: str) -> dict[str, str]:
    """Give images the paths of files of labels of their own.

    Of images that differ in their suffixes alone, as ``x.jpg`` and ``x.png``, the first
    one has labels: those of the others would have the same name.

    Args:
        names: Paths of the images with ``/``.
        folder: Where the labels go.
        suffix: That of the files of labels.

    Returns:
        Paths by the names of the images that have one.
    """
    owners: dict[str, str] = {}
    for name in names:
        place, _, last = name.rpartition('/')
        stem = last.rpartition('.')[0] or last
        path = '/'.join(filter(None, (folder, place, f'{stem}{suffix}')))
        owners.setdefault(path, name)
    return {name: path for path, name in owners.items()}


def check_names(classes: Sequence[str]) -> None:
    """Stop where the names of classes cannot be written as labels.

    Raises:
        M2DetError: One sentence that names the class.
    """
    for name in classes:
        if not is_text(name) or name != name.strip() or classes.count(name) > 1:
            raise M2DetError(
                f'The class {shown(name)} of the detector cannot be written as labels, '
                'which take names of one line, each once and without white space '
                'around them: give --format none or csv.'
            )


def _inside(value: float, side: int) -> float:
    return round(min(max(value, 0.0), float(side)), _DECIMALS)
