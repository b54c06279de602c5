"""The labels of one image, where each image has a file of them."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...utils.texts import shown
from ..faults import Faults, Level, new_kind
from ..values import is_box, is_positive, is_text

LABEL_UNREADABLE = new_kind(
    'label-unreadable',
    Level.FAULT,
    'files of labels that cannot be read',
    'Their images are left out: mend the files, or export them again.',
)
LABEL_OBJECT = new_kind(
    'label-object',
    Level.FAULT,
    'objects or lines of labels that cannot be read',
    'They are left out: mend or remove them.',
)
LABEL_SHAPE = new_kind(
    'label-shape',
    Level.NOTE,
    'labels that are polygons, rotated boxes or boxes with key points',
    'The upright box around each is taken; key points are left out.',
)
IMAGE_UNLABELLED = new_kind(
    'image-unlabelled',
    Level.NOTE,
    'images without a file of labels',
    'In VOC form they are left out, in YOLO form they are images without objects: '
    'label them or remove them.',
)
LABEL_ORPHAN = new_kind(
    'label-orphan',
    Level.FAULT,
    'files of labels without an image that can be read',
    'They are left out: add or convert the images, or remove the files.',
)
LABELS_SHARED = new_kind(
    'labels-shared',
    Level.FAULT,
    'images whose name is that of another image, or that are listed twice',
    'The first is taken with its labels: rename or remove the others.',
)
SIZE_UNKNOWN = new_kind(
    'size-unknown',
    Level.FAULT,
    'images whose width and height cannot be read',
    'They are left out: restore or remove them.',
)


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


# Reads the labels of an image; None if they cannot be read, which it reports.
Reader = Callable[[Source, Faults], Labels | None]


def read_sound(source: Source, reader: Reader, faults: Faults) -> Labels | None:
    """Read labels that COCO's form can hold; what is not so is reported and left out.

    Returns:
        The labels; ``None`` if the image has to be left out.
    """
    labels = reader(source, faults)
    if labels is None:
        return None
    if not all(map(is_positive, labels.size)):
        problem = f'the size {shown(labels.size)}, which is not two positive numbers'
        faults.report(LABEL_UNREADABLE, _sentence(source, problem))
        return None
    problems = [*map(_problem, labels.boxes)]
    for problem in filter(None, problems):
        faults.report(LABEL_OBJECT, _sentence(source, problem))
    pairs = zip(labels.boxes, problems, strict=True)
    return labels._replace(boxes=[box for box, problem in pairs if not problem])


def _problem(item: LabelledBox) -> str | None:
    if not is_text(item.name):
        return f'the name {shown(item.name)}, which is not text of one line'
    if not is_box(item.box):
        return f'the box {shown(item.box)}, which is not four finite numbers'
    return None


def _sentence(source: Source, problem: str) -> str:
    return f'The annotation file {source.label} gives {problem}: mend or remove it.'
