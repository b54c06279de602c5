"""Labels in YOLO's form: a text file for each image."""

from collections.abc import Sequence
from pathlib import Path

from ...utils.files import write_whole
from .labels import Categories, Images, LabelledImage, label_paths

# Beside the folder, where an image may be called classes.jpg.
CLASSES = 'classes.txt'


def paths(names: Sequence[str]) -> dict[str, str]:
    """Name the file of each image."""
    return label_paths(names, 'labels', '.txt')


def write(
    folder: Path, names: Sequence[str], images: Images, categories: Categories
) -> None:
    """Write ``classes.txt`` and ``labels/NAME.txt``.

    A line is the number of the class, from 0 on, and ``cx cy w h`` in parts of the
    image's width and height. Scores are left out: with a sixth number training tools
    take a line for something else.

    Raises:
        M2DetError: If a file cannot be written.
    """
    write_whole(folder / CLASSES, ''.join(f'{x}\n' for x in categories.values()))
    numbers = {id_: number for number, id_ in enumerate(categories)}
    places = paths(names)
    for image in images():
        if image.file_name in places:
            write_whole(folder / places[image.file_name], _text(image, numbers))


def _text(image: LabelledImage, numbers: dict[int, int]) -> str:
    lines = []
    for box in image.boxes:
        x1, y1, x2, y2 = box.corners
        values = (
            (x1 + x2) / 2 / image.width,
            (y1 + y2) / 2 / image.height,
            (x2 - x1) / image.width,
            (y2 - y1) / image.height,
        )
        sides = ' '.join(f'{value:.8f}' for value in values)
        lines.append(f'{numbers[box.category_id]} {sides}\n')
    return ''.join(lines)
