"""Data folders of images that a test has written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from m2det_mmdet.datasets.checks.images import check_images
from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part

# Name, width, height, and boxes (xywh, pixels).
Image = tuple[str, int, int, Sequence[Sequence[float]]]


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., DataFolder]:
    """Make a folder of images in ``tmp_path``."""

    def make(kind: str = 'coco', **splits: Sequence[Image]) -> DataFolder:
        parts = {name: _part(tmp_path, images) for name, images in splits.items()}
        return DataFolder(tmp_path, kind, ('cell',), parts)

    return make


def _part(root: Path, listed: Sequence[Image]) -> Part:
    images, annotations = [], []
    for image_id, (name, width, height, boxes) in enumerate(listed, start=1):
        images.append(
            {'id': image_id, 'file_name': name, 'width': width, 'height': height}
        )
        annotations += [
            {'image_id': image_id, 'category_id': 1, 'bbox': list(box), 'iscrowd': 0}
            for box in boxes
        ]
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'cell'}],
    }
    return Part(root, content, ann_file=root / 'labels.json')


@pytest.fixture
def found() -> Callable[..., Mapping[str, Any]]:
    """Check a folder; the count and the sentences of each kind that is found."""

    def check(folder: DataFolder, *, pixels: bool = False) -> dict[str, tuple]:
        faults = Faults()
        check_images(folder, faults, pixels=pixels)
        return {
            name: (finding.count, *finding.examples)
            for name, finding in faults.findings.items()
        }

    return check
