"""Predictions as records of COCO's results format."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

# COCO has 80 classes with ids from 1 to 90: these ten were never annotated.
_COCO_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
_COCO_IDS = tuple(id_ for id_ in range(1, 91) if id_ not in _COCO_GAPS)


class CocoIds:
    """Ids of images and categories, from an annotation file if there is one.

    Args:
        classes: Class names in the order of the model's labels.
        annotations: Annotations that give the ids. Without them, categories have
            COCO's ids if ``classes`` are COCO's, else 1, 2, ... in label order.

    Raises:
        ValueError: If the annotations lack one of ``classes``.
    """

    def __init__(self, classes: Sequence[str], annotations: COCO | None = None) -> None:
        self._images: dict[str, int] = {}
        if annotations is not None:
            images = annotations.dataset['images']
            self._images = {image['file_name']: image['id'] for image in images}
            self.categories = _ids_by_name(classes, annotations)
        elif tuple(classes) == CocoDataset.METAINFO['classes']:
            self.categories = _COCO_IDS
        else:
            self.categories = tuple(range(1, len(classes) + 1))

    def image(self, path: Path) -> int | None:
        """Id of the image with a ``file_name`` that is the end of ``path``."""
        for start in range(len(path.parts)):
            name = '/'.join(path.parts[start:])
            if name in self._images:
                return self._images[name]
        return None


def to_records(
    instances: InstanceData, image_id: int, file_name: str, ids: CocoIds
) -> list[dict[str, Any]]:
    """Convert the predictions for one image.

    Args:
        instances: ``bboxes`` (xyxy, input pixels), ``labels`` and ``scores``.
        image_id: The image's id.
        file_name: Name of the image, written beside its id.
        ids: Tells the category of a label.

    Returns:
        Records with ``bbox`` as ``x, y, width, height`` in input pixels.
    """
    instances = instances.numpy()
    boxes = instances.bboxes.copy()
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {
            'image_id': image_id,
            'file_name': file_name,
            'category_id': ids.categories[label],
            'bbox': [round(side, 2) for side in box],
            'score': round(score, 5),
        }
        for box, label, score in zip(
            boxes.tolist(),
            instances.labels.tolist(),
            instances.scores.tolist(),
            strict=True,
        )
    ]


def _ids_by_name(classes: Sequence[str], annotations: COCO) -> tuple[int, ...]:
    by_name = {item['name']: item['id'] for item in annotations.dataset['categories']}
    absent = [name for name in classes if name not in by_name]
    if absent:
        raise ValueError(
            f'The annotations have no category {", ".join(absent)}, which the model '
            f'predicts; they have {", ".join(by_name)}.'
        )
    return tuple(by_name[name] for name in classes)
