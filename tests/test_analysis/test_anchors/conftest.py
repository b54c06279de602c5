"""Data folders with boxes that a test gives."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from m2det_mmdet.datasets.layouts.folder import DataFolder, Part


@pytest.fixture(scope='session')
def folder_of() -> Callable[..., DataFolder]:
    """Make a data folder of boxes by the size of their image."""

    def make(
        boxes: dict[tuple[int, int], Sequence[Sequence[float]]],
        classes: Sequence[int] = (),
    ) -> DataFolder:
        images, annotations = [], []
        for image_id, ((width, height), rows) in enumerate(boxes.items(), start=1):
            name = f'{image_id}.jpg'
            images.append(
                {'id': image_id, 'file_name': name, 'width': width, 'height': height}
            )
            for box in rows:
                number = len(annotations)
                annotations.append(
                    {
                        'id': number + 1,
                        'image_id': image_id,
                        'category_id': classes[number] if classes else 1,
                        'bbox': list(box),
                        'area': box[2] * box[3],
                        'iscrowd': 0,
                    }
                )
        names = ('a', 'b')
        categories = [{'id': i, 'name': name} for i, name in enumerate(names, start=1)]
        content = {
            'images': images,
            'annotations': annotations,
            'categories': categories,
        }
        root = Path('/data/mine')
        return DataFolder(root, 'coco', names, {'train': Part(root, content)})

    return make
