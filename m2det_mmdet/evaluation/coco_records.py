"""Predictions as records of COCO's results format."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
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
        # A name as the parts of its path.
        self._images: dict[tuple[str, ...], list[int]] = {}
        if annotations is not None:
            images = annotations.dataset['images']
            for image in images:
                name = PurePath(image['file_name']).parts
                self._images.setdefault(name, []).append(image['id'])
            self.categories = _ids_by_name(classes, annotations)
        elif tuple(classes) == CocoDataset.METAINFO['classes']:
            self.categories = _COCO_IDS
        else:
            self.categories = tuple(range(1, len(classes) + 1))

    def image(self, path: Path) -> int | None:
        """Id of the image with a ``file_name`` that is the end of ``path``.

        Of several the longest counts; ``None`` if there is none.

        Raises:
            ValueError: If the annotations list that name for several images.
        """
        for start in range(len(path.parts)):
            found = self._images.get(path.parts[start:], [])
            if len(found) > 1:
                raise ValueError(
                    f'The annotations list {PurePath(*path.parts[start:])} for the '
                    f'images {", ".join(map(str, found))}: give each its own name.'
                )
            if found:
                return found[0]
        return None

    def images(self, paths: Iterable[Path]) -> dict[Path, int]:
        """Ids of images, as :meth:`image` finds them.

        Raises:
            ValueError: If an image is not listed, or two of ``paths`` are the same one
                in the annotations.
        """
        ids = {path: self.image(path) for path in paths}
        absent = [path for path, id_ in ids.items() if id_ is None]
        if absent:
            more = f' and {len(absent) - 1} more' if len(absent) > 1 else ''
            raise ValueError(
                f'The annotations do not list {absent[0]}{more}: leave out them or the '
                'images.'
            )
        by_id: dict[int, Path] = {}
        for path, id_ in ids.items():
            if by_id.setdefault(id_, path) != path:
                raise ValueError(
                    f'{by_id[id_]} and {path} are one image in the annotations, with '
                    f'the id {id_}: leave one out, or list both with their folders.'
                )
        return ids


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
