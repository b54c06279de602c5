"""A text file of labels in YOLO's form."""

import math
from collections.abc import Sequence
from pathlib import Path

from ....utils.texts import one_line, shown
from ...error import DatasetError
from ...faults import Faults
from ..images import image_size, read_lines
from ..labels import (
    LABEL_OBJECT,
    LABEL_SHAPE,
    LABEL_UNREADABLE,
    SIZE_UNKNOWN,
    LabelledBox,
    Labels,
    Source,
)

# Exporters round: a box may reach beyond the image by this much.
_ROUNDING = 1e-3


def read_labels(
    source: Source, faults: Faults, *, classes: Sequence[str], num_key_values: int
) -> Labels | None:
    """Read the objects of an image; without a label file it has none.

    A line is a class, counted from 0, and ``cx cy w h`` or the corners ``x y`` of a
    polygon, which becomes the box around it. All are fractions of the image's width
    and height.

    Args:
        source: The image and its file.
        faults: Gets the lines that are wrong, which are left out.
        classes: Names of the classes.
        num_key_values: How many numbers of key points follow a box. If there are some,
            no line is a polygon; they are left out.

    Returns:
        The labels; ``None`` if the file or the size of the image cannot be read.
    """
    try:
        width, height = image_size(source.image)
    except DatasetError as error:
        faults.report(SIZE_UNKNOWN, str(error))
        return None
    try:
        lines = read_lines(source.label) if source.label.exists() else []
    except DatasetError as error:
        faults.report(LABEL_UNREADABLE, str(error))
        return None
    boxes = []
    num_shapes = 0
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        try:
            label, (x, y, w, h) = _parse(words, len(classes), num_key_values)
        except ValueError as error:
            faults.report(
                LABEL_OBJECT,
                f'Line {number} of {source.label} {error}: mend or remove it.',
            )
            continue
        num_shapes += len(words) > 5
        box = (x * width, y * height, w * width, h * height)
        boxes.append(LabelledBox(classes[label], box))
    if num_shapes:
        what = 'boxes with key points' if num_key_values else 'polygons'
        faults.report(
            LABEL_SHAPE,
            f'{source.label} has {what}: the upright boxes of them are taken.',
            num_shapes,
        )
    return Labels((width, height), boxes)


def is_label(path: Path) -> bool:
    """Whether a file begins like labels: with at least five numbers in a line."""
    try:
        with open(path, encoding='utf-8-sig') as file:
            first = next((line for line in file if line.strip()), '').split()
        return len(first) >= 5 and all(map(math.isfinite, map(float, first)))
    except (OSError, ValueError):
        return False


def _parse(
    words: Sequence[str], num_classes: int, num_key_values: int
) -> tuple[int, tuple[float, ...]]:
    """Return the label and the box, xywh in 0..1."""
    numbers = [_number(word) for word in words]
    label, *values = numbers
    if not label.is_integer() or not 0 <= label < num_classes:
        raise ValueError(
            f'has the class {one_line(words[0], 60)}, where {num_classes} '
            f'names make it one of 0 to {num_classes - 1}'
        )
    if num_key_values:
        if len(values) not in (4, 4 + num_key_values):
            raise ValueError(
                f'has {len(values)} numbers after the class, where a box has 4, and '
                f'{4 + num_key_values} with the key points of kpt_shape'
            )
        values = values[:4]
    outside = [x for x in values if not -_ROUNDING <= x <= 1 + _ROUNDING]
    if outside:
        raise ValueError(f'has {outside[0]:g}, which is no part of the image in 0..1')
    if len(values) == 4:
        cx, cy, w, h = values
        if min(w, h) < 0:
            raise ValueError(f'has the negative size {w:g} x {h:g}')
        return int(label), (cx - w / 2, cy - h / 2, w, h)
    if len(values) < 6 or len(values) % 2:
        raise ValueError(
            f'has {len(values)} numbers after the class, where a box has 4 and a '
            'polygon 6, 8, 10, ... (a fifth is a score or an angle, and key points '
            'need kpt_shape in data.yaml)'
        )
    left, top, right, bottom = (
        pick(values[axis::2]) for pick in (min, max) for axis in (0, 1)
    )
    return int(label), (left, top, right - left, bottom - top)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f'has {shown(word)}, which is no number') from None
