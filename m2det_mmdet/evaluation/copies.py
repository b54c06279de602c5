"""Annotations with other objects, for an evaluation of what might have been."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from pycocotools.coco import COCO

from ..utils.logs import prints_to, quiet_log


def with_annotations(truth: COCO, annotations: Iterable[dict[str, Any]]) -> COCO:
    """Return the images and classes of ``truth`` with these objects or detections.

    Args:
        truth: Annotations.
        annotations: Objects, or detections as ``truth.loadRes`` makes them.
    """
    copy = COCO()
    copy.dataset = {
        'images': list(truth.imgs.values()),
        'categories': list(truth.cats.values()),
        'annotations': list(annotations),
    }
    with prints_to(quiet_log()):
        copy.createIndex()
    return copy


def chosen(coco: COCO, ids: np.ndarray) -> list[dict[str, Any]]:
    """Return the annotations of these ids, in their order."""
    return [coco.anns[id_] for id_ in ids.tolist()]


def boxes_of(coco: COCO, ids: np.ndarray) -> np.ndarray:
    """Return the boxes ``(N, 4)`` of annotations, ``x, y, width, height`` in pixels."""
    boxes = [annotation['bbox'] for annotation in chosen(coco, ids)]
    return np.array(boxes, dtype=float).reshape(-1, 4)
