"""What the tests of all forms need."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

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
