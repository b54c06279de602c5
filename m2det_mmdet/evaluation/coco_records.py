"""Predictions as records of COCO's results format."""

import json
from collections.abc import Container, Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

from mmdet.datasets import CocoDataset
from mmengine.structures import InstanceData
from pycocotools import mask as masks
from pycocotools.coco import COCO

from ..datasets.values import is_box
from ..utils.errors import M2DetError
from ..utils.texts import shown
from ..utils.values import is_number

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
        self.names = tuple(classes)
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
        """Ids of the images that the annotations list, as :meth:`image` finds them.

        Raises:
            ValueError: If no image is listed, or two of ``paths`` are the same one in
                the annotations.
        """
        paths = list(paths)
        found = ((path, self.image(path)) for path in paths)
        ids = {path: id_ for path, id_ in found if id_ is not None}
        if paths and not ids:
            more = f' and {len(paths) - 1} more' if len(paths) > 1 else ''
            raise ValueError(
                f'The annotations do not list {paths[0]}{more}: give images that they '
                'list, or other annotations.'
            )
        by_id: dict[int, Path] = {}
        for path, id_ in ids.items():
            if by_id.setdefault(id_, path) != path:
                raise ValueError(
                    f'{by_id[id_]} and {path} are one image in the annotations, with '
                    f'the id {id_}: leave one out, or list both with their folders.'
                )
        return ids

    def absent(self, ids: Container[int]) -> list[str]:
        """Names of the images that the annotations list beside those of ``ids``."""
        return [
            str(PurePath(*name))
            for name, own in self._images.items()
            for id_ in own
            if id_ not in ids
        ]


def to_records(
    instances: InstanceData, image_id: int, file_name: str, ids: CocoIds
) -> list[dict[str, Any]]:
    """Convert the predictions for one image.

    Args:
        instances: ``bboxes`` (xyxy, input pixels), ``labels`` and ``scores``.
        image_id: The image's id.
        file_name: Name of the image, written beside its id.
        ids: Tells the category of a label, and its name.

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
            'category_name': ids.names[label],
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


def load_results(file: str | Path, truth: COCO) -> COCO:
    """Load predictions in COCO's results format.

    Args:
        file: JSON, a list of records as :func:`check_records` takes them.
        truth: The annotations that they are for.

    Raises:
        M2DetError: If the file cannot be read, or a record is wrong; names both.
    """
    try:
        content = json.loads(Path(file).read_text(encoding='utf-8'))
        records = check_records(content, truth)
    except FileNotFoundError as error:
        raise M2DetError(f'There is no results file {file}: check the path.') from error
    except (OSError, ValueError, RecursionError) as error:
        raise M2DetError(
            f'{file} holds no COCO results for these annotations: {error}.'
        ) from error
    # loadRes fails on an empty list.
    return truth.loadRes(records) if records else COCO()


def check_records(records: Any, truth: COCO) -> list[dict[str, Any]]:
    """Compare results, as they were read of a file, with annotations.

    Args:
        records: Should be a list of records with ``image_id``, ``category_id``,
            ``score``, and ``bbox`` (``x, y, width, height``) or ``segmentation`` (a
            mask of the image's size, run-length encoded).
        truth: The annotations.

    Returns:
        The records, each with a ``bbox``; that of a mask is the box around it.

    Raises:
        ValueError: Which record is wrong, and how.
    """
    if not isinstance(records, list):
        raise ValueError(f'they are no list but {shown(records)}')
    return [_checked(index, record, truth) for index, record in enumerate(records)]


def _checked(index: int, record: Any, truth: COCO) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ValueError(f'record {index} is {shown(record)}, no object')
    for key, known in (('image_id', truth.imgs), ('category_id', truth.cats)):
        id_ = record.get(key)
        if not isinstance(id_, int | str) or id_ not in known:
            raise ValueError(
                f'record {index} has the {key} {shown(id_)}, which the annotations lack'
            )
    if not is_number(record.get('score')):
        raise ValueError(
            f'record {index} has the score {shown(record.get("score"))}, which is no '
            'finite number'
        )
    if 'bbox' not in record and 'segmentation' in record:
        image = truth.imgs[record['image_id']]
        box = _box_around(record['segmentation'], [image['height'], image['width']])
        if box is None:
            raise ValueError(
                f'record {index} has a segmentation that is no run-length encoded mask '
                'of the size of its image'
            )
        return {**record, 'bbox': box}
    box = record.get('bbox')
    if not is_box(box):
        raise ValueError(
            f'record {index} has the bbox {shown(box)}, which is not four finite '
            'numbers'
        )
    if min(box[2:]) < 0:
        raise ValueError(
            f'record {index} has the bbox {shown(box)}, whose width and height are '
            'not both positive'
        )
    return record


def _box_around(mask: Any, size: list[int]) -> list[float] | None:
    if not isinstance(mask, dict) or mask.get('size') != size or 0 in size:
        return None
    try:
        if isinstance(mask.get('counts'), list):
            mask = masks.frPyObjects(mask, *size)
        return masks.toBbox(mask).tolist()
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _ids_by_name(classes: Sequence[str], annotations: COCO) -> tuple[int, ...]:
    by_name = {item['name']: item['id'] for item in annotations.dataset['categories']}
    absent = [name for name in classes if name not in by_name]
    if absent:
        raise ValueError(
            f'The annotations have no category {", ".join(absent)}, which the model '
            f'predicts; they have {", ".join(by_name)}.'
        )
    return tuple(by_name[name] for name in classes)
