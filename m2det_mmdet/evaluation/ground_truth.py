"""Ground truth of any data set of mmdet, in the form that COCO's evaluation reads."""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmengine.dataset import BaseDataset
from pycocotools.coco import COCO

from ..datasets.coco import load_annotations
from ..utils.areas import fill_areas
from .metrics import FoundBoxes


def truth_of(dataset: BaseDataset) -> COCO:
    """Return the ground truth of a data set.

    Images, objects and classes are numbered from 1 in the order of the data set: ids of
    0 and ids that are texts, of which evaluations take the one for "nothing" and fail
    with the other, do not arise.

    Args:
        dataset: Of a COCO file the objects are read again, for their areas are those of
            the masks; of another form the boxes are what the data set holds, and
            objects that it ignores are crowds.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    is_coco = isinstance(dataset, CocoDataset) and Path(dataset.ann_file).is_file()
    objects = _of_file(dataset, infos) if is_coco else _of_infos(infos)
    annotations = [{**item, 'id': id_} for id_, item in enumerate(objects, start=1)]
    fill_areas(annotations)
    classes = dataset.metainfo['classes']
    return _indexed(
        {
            'images': [_image(id_, info) for id_, info in enumerate(infos, start=1)],
            'annotations': annotations,
            'categories': [
                {'id': id_, 'name': name} for id_, name in enumerate(classes, start=1)
            ],
        }
    )


def found_in(truth: COCO, found: Sequence[FoundBoxes]) -> COCO:
    """Return what was found as results for the ground truth of :func:`truth_of`.

    Args:
        truth: The ground truth.
        found: What was found in each image, in the order of the data set.
    """
    records = list(_records(found))
    with redirect_stdout(io.StringIO()):
        # loadRes fails on an empty list.
        return (
            truth.loadRes(records)
            if records
            else _indexed({**truth.dataset, 'annotations': []})
        )


def _records(found: Sequence[FoundBoxes]) -> Iterator[dict[str, Any]]:
    for image_id, (boxes, scores, labels) in enumerate(found, start=1):
        corners = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        for box, score, label in zip(
            corners.tolist(), scores.tolist(), labels.tolist(), strict=True
        ):
            yield {
                'image_id': image_id,
                'category_id': label + 1,
                'bbox': box,
                'score': score,
            }


def _image(id_: int, info: dict[str, Any]) -> dict[str, Any]:
    return {
        'id': id_,
        'file_name': str(info['img_path']),
        'height': info['height'],
        'width': info['width'],
    }


def _of_file(dataset: CocoDataset, infos: Sequence[dict]) -> Iterator[dict[str, Any]]:
    """Read the objects of a COCO file that belong to the images and classes."""
    content = load_annotations(dataset.ann_file)
    categories = {id_: place for place, id_ in enumerate(dataset.cat_ids, start=1)}
    for image_id, info in enumerate(infos, start=1):
        for item in content.imgToAnns.get(info['img_id'], ()):
            if item['category_id'] in categories:
                yield {
                    'image_id': image_id,
                    'category_id': categories[item['category_id']],
                    'bbox': item['bbox'],
                    'area': item['area'],
                    'iscrowd': item.get('iscrowd', 0),
                }


def _of_infos(infos: Sequence[dict]) -> Iterator[dict[str, Any]]:
    for image_id, info in enumerate(infos, start=1):
        for item in info['instances']:
            x1, y1, x2, y2 = item['bbox']
            yield {
                'image_id': image_id,
                'category_id': item['bbox_label'] + 1,
                'bbox': [x1, y1, x2 - x1, y2 - y1],
                'iscrowd': int(item.get('ignore_flag', 0)),
            }


def _indexed(content: dict[str, Any]) -> COCO:
    truth = COCO()
    truth.dataset = content
    with redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth
