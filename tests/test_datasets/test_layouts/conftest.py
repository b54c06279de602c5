"""What the tests of all forms need."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from m2det_mmdet.datasets.coco_form import check_annotations
from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part, read_folder


class Read(NamedTuple):
    """What was read of a folder.

    Attributes:
        folder: All of it.
        boxes: (class, xywh) of each image by its name, of each split.
        counts: Number of faults by their names.
        faults: The faults.
    """

    folder: DataFolder
    boxes: dict[str, dict[str, list[tuple]]]
    counts: dict[str, int]
    faults: Faults


Objects = dict[str, list[tuple[str, tuple[float, ...], int]]]


@pytest.fixture
def write_image() -> Callable[..., None]:
    """Writes a black image, by default 40 x 20 pixels, and the folders above it."""

    def write(path: Path, size: tuple[int, int] = (40, 20), **options: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(path, **options)

    return write


@pytest.fixture
def write_scene() -> Callable[..., None]:
    """Writes an image, 40 x 20 pixels, that no other name gives, and the folders."""

    def write(path: Path, seed: str | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = crc32((seed or path.stem).encode())
        cells = np.random.default_rng(number).integers(0, 255, (5, 10, 3), np.uint8)
        Image.fromarray(cells.repeat(4, 0).repeat(4, 1)).save(path)

    return write


@pytest.fixture
def read() -> Callable[..., Read]:
    """Reads a folder into boxes of each image by split, and names of faults."""

    def read(data: Path, seed: int = 0) -> Read:
        faults = Faults()
        folder = read_folder(data, faults, seed=seed)
        boxes = {split: _boxes(part) for split, part in folder.parts.items()}
        for part in folder.parts.values():
            check_annotations(part.content)
            for image in part.content['images']:
                assert (part.images / image['file_name']).is_file()
        counts = {name: finding.count for name, finding in faults.findings.items()}
        return Read(folder, boxes, counts, faults)

    return read


def _boxes(part: Part) -> dict[str, list[tuple]]:
    names = {x['id']: x['name'] for x in part.content['categories']}
    files = {x['id']: x['file_name'] for x in part.content['images']}
    found: dict[str, list[tuple]] = {name: [] for name in files.values()}
    for item in part.content['annotations']:
        box = tuple(round(value, 6) for value in item['bbox'])
        found[files[item['image_id']]].append((names[item['category_id']], box))
    return found


@pytest.fixture
def objects() -> Callable[[Path], Objects]:
    """Reads (class, xywh, iscrowd) of each image of a COCO file."""

    def read(ann_file: Path) -> Objects:
        content = json.loads(ann_file.read_text())
        classes = {entry['id']: entry['name'] for entry in content['categories']}
        names = {entry['id']: entry['file_name'] for entry in content['images']}
        found: Objects = {name: [] for name in names.values()}
        for item in content['annotations']:
            entry = classes[item['category_id']], tuple(item['bbox']), item['iscrowd']
            found[names[item['image_id']]].append(entry)
        return found

    return read


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Collects what is logged."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
