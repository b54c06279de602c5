"""Labels as a table with a row for each object."""

import csv
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from ...utils.files import write_whole
from .labels import Categories, Images

FILE = 'labels.csv'
_COLUMNS = (
    *('file_name', 'width', 'height', 'class', 'score'),
    *('xmin', 'ymin', 'xmax', 'ymax'),
)


def paths(names: Sequence[str]) -> dict[str, str]:
    """Name the file of each image, which is the same."""
    return dict.fromkeys(names, FILE)


def write(folder: Path, _: Sequence[str], images: Images, __: Categories) -> None:
    """Write ``labels.csv``; corners are in pixels, from 0 on.

    Raises:
        M2DetError: If it cannot be written.
    """

    def fill(out: BinaryIO) -> None:
        text = TextIOWrapper(out, encoding='utf-8', newline='')
        table = csv.writer(text)
        table.writerow(_COLUMNS)
        for image in images():
            place = (image.file_name, image.width, image.height)
            table.writerows((*place, x.name, x.score, *x.corners) for x in image.boxes)
        # The file is closed by who has opened it.
        text.detach()

    write_whole(folder / FILE, fill)
