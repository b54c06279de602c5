"""Annotations and detections by hand, and such by chance."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

Record = dict[str, Any]
Pair = tuple[COCO, COCO]


@pytest.fixture(scope='session')
def make_coco() -> Callable[..., Pair]:
    """Make annotations and detections: of class 1 in image 1 unless they say else.

    Objects have the ids 1, 2, ..., and so have detections.
    """

    def make(
        objects: Sequence[Record],
        detections: Sequence[Record],
        *,
        classes: Sequence[str] = ('cat', 'dog'),
        images: int = 1,
    ) -> Pair:
        truth = COCO()
        truth.dataset = {
            'images': [
                {'id': id_, 'file_name': f'{id_}.jpg', 'width': 640, 'height': 640}
                for id_ in range(1, images + 1)
            ],
            'categories': [
                {'id': id_, 'name': name} for id_, name in enumerate(classes, start=1)
            ],
            'annotations': [
                {'id': id_, 'image_id': 1, 'category_id': 1, **item}
                for id_, item in enumerate(objects, start=1)
            ],
        }
        records = [{'image_id': 1, 'category_id': 1, **item} for item in detections]
        with redirect_stdout(io.StringIO()):
            truth.createIndex()
            return truth, truth.loadRes(records) if records else COCO()

    return make


@pytest.fixture(scope='session')
def random_coco(make_coco: Callable[..., Pair]) -> Callable[..., Pair]:
    """Make up objects, and detections near them and elsewhere.

    Some objects are crowds, or have the flag ``ignore``, or both. One class has no
    objects, one no detections.
    """

    def make(
        seed: int, *, images: int = 12, crowds: float = 0.15, absent: bool = True
    ) -> Pair:
        generator = np.random.default_rng(seed)
        labels = range(1, 6)
        objects, detections = [], []
        for image_id in range(1, images + 1):
            here = [
                {
                    'image_id': image_id,
                    'category_id': int(generator.choice(labels)),
                    'bbox': _box(generator),
                    'iscrowd': int(generator.random() < crowds),
                    'ignore': int(generator.random() < 0.1),
                }
                for _ in range(generator.integers(0, 9))
            ]
            objects += here
            for _ in range(15):
                item = {'category_id': int(generator.choice(labels))}
                box = _box(generator)
                if here and generator.random() < 0.75:
                    near = generator.choice(here)
                    shift = generator.normal(0, 12, 4) * generator.random()
                    box = [*(np.array(near['bbox']) + shift)]
                    if generator.random() < 0.7:
                        item['category_id'] = near['category_id']
                box[2:] = np.clip(box[2:], 1, None)
                item |= {'image_id': image_id, 'bbox': [float(side) for side in box]}
                detections.append(item | {'score': float(generator.random())})
        if absent:
            objects = [item for item in objects if item['category_id'] != 5]
            detections = [item for item in detections if item['category_id'] != 4]
        return make_coco(objects, detections, classes='abcde', images=images)

    return make


def _box(generator: np.random.Generator) -> list[float]:
    """A box in an image of 640 pixels: small, medium or large."""
    sides = np.exp(generator.uniform(2, 5.3, 2))
    return [*(generator.random(2) * (640 - sides)).tolist(), *sides.tolist()]
