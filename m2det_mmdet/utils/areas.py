"""The area of objects in COCO's form, which many files leave out or give as 0."""

from collections.abc import Iterable
from typing import Any

from .values import is_number


def fill_areas(annotations: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each object without an area that of its box, in place.

    Without it mmdet leaves the object out or fails, and pycocotools fails or counts it
    among those of another size.

    Args:
        annotations: Objects in COCO's form, ``bbox`` in xywh, pixels. One without
            ``bbox`` is left as it is.

    Returns:
        Those whose area was missing, 0 or less beside a box of some width and height.
        A box without either gets the area 0.
    """
    filled = []
    for annotation in annotations:
        if not _lacks_area(annotation) or 'bbox' not in annotation:
            continue
        _, _, width, height = annotation['bbox']
        annotation['area'] = max(width, 0) * max(height, 0)
        if annotation['area'] > 0:
            filled.append(annotation)
    return filled


def _lacks_area(annotation: dict[str, Any]) -> bool:
    area = annotation.get('area')
    return area is None or (is_number(area) and area <= 0)
