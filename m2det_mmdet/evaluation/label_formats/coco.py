"""Labels as a COCO annotation file."""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from ...utils.files import write_whole
from ..results_file import write_list
from .labels import Categories, Images, LabelledImage

FILE = 'labels.json'


def paths(names: Sequence[str]) -> dict[str, str]:
    """Name the file of each image, which is the same."""
    return dict.fromkeys(names, FILE)


def write(
    folder: Path, _: Sequence[str], images: Images, categories: Categories
) -> None:
    """Write ``labels.json``: images, annotations with their scores, categories.

    Raises:
        M2DetError: If it cannot be written.
    """

    def join(out: BinaryIO) -> None:
        out.write(b'{"images": ')
        write_list(out, map(_image, images()))
        out.write(b',\n"annotations": ')
        write_list(out, _annotations(images()))
        entries = [{'id': id_, 'name': name} for id_, name in categories.items()]
        out.write(b',\n"categories": ' + json.dumps(entries).encode() + b'}\n')

    write_whole(folder / FILE, join)


def _image(image: LabelledImage) -> dict[str, Any]:
    return {
        'id': image.image_id,
        'file_name': image.file_name,
        'width': image.width,
        'height': image.height,
    }


def _annotations(images: Iterator[LabelledImage]) -> Iterator[dict[str, Any]]:
    ids = count(1)
    for image in images:
        for box in image.boxes:
            x1, y1, x2, y2 = box.corners
            width, height = round(x2 - x1, 2), round(y2 - y1, 2)
            yield {
                'id': next(ids),
                'image_id': image.image_id,
                'category_id': box.category_id,
                'bbox': [x1, y1, width, height],
                'area': round(width * height, 4),
                'iscrowd': 0,
                'score': box.score,
            }
