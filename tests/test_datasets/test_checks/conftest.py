"""Data folders in memory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part

CLASSES = ('cat', 'dog')
# Width and height of each image, pixels.
SIZE = (100, 80)


@pytest.fixture
def make_part() -> Callable[..., Part]:
    """Make a split of the boxes of each image, which are cats unless told."""

    def make(
        boxes: Sequence[Sequence[Sequence[float]]],
        *,
        classes: Sequence[str] = CLASSES,
        size: tuple[int, int] = SIZE,
        **values: Any,
    ) -> Part:
        images = [
            {'id': id_, 'file_name': f'{id_}.jpg', 'width': size[0], 'height': size[1]}
            for id_, _ in enumerate(boxes, start=1)
        ]
        annotations = [
            {
                'image_id': image['id'],
                'category_id': 1,
                'bbox': [*box],
                'area': box[2] * box[3],
                **values,
            }
            for image, of_image in zip(images, boxes, strict=True)
            for box in of_image
        ]
        for id_, annotation in enumerate(annotations, start=1):
            annotation['id'] = id_
        categories = [{'id': id_, 'name': x} for id_, x in enumerate(classes, start=1)]
        content = {
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        return Part(Path('/data'), content)

    return make


@pytest.fixture
def findings() -> Callable[..., dict[str, list[Any]]]:
    """Run a check on splits; give the count and the first sentence of each kind."""

    def run(
        check: Callable[[DataFolder, Faults], None],
        parts: Mapping[str, Part],
        classes: tuple[str, ...] = CLASSES,
    ) -> dict[str, tuple[int, str]]:
        check(DataFolder(Path('/data'), 'coco', classes, {**parts}), faults := Faults())
        return {
            name: (finding.count, finding.examples[0])
            for name, finding in faults.findings.items()
        }

    return run
