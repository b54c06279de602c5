"""Labels that were drawn on a stored image, moved to the image as it is turned."""

from collections.abc import Callable, Sequence
from typing import Any

# Where the point (x, y) of a stored image of w x h pixels lies once the image is turned
# by its EXIF orientation.
_Turn = Callable[[float, float, float, float], tuple[float, float]]
_TURNS: dict[int, _Turn] = {
    1: lambda x, y, w, h: (x, y),
    2: lambda x, y, w, h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (y, w - x),
}


def turn_annotation(
    annotation: dict[str, Any], orientation: int, size: tuple[int, int]
) -> None:
    """Turn the box, the polygons and the key points of an annotation, in place.

    A run-length code is left out: detectors here learn boxes.

    Args:
        annotation: As in a COCO file.
        orientation: EXIF orientation of the image, from 1 to 8.
        size: Width and height, pixels, of the stored image.
    """
    annotation['bbox'] = turn_box(annotation['bbox'], orientation, size)
    segmentation = annotation.get('segmentation')
    if isinstance(segmentation, dict):
        del annotation['segmentation']
    elif segmentation:
        annotation['segmentation'] = [
            _turn_points(polygon, 2, orientation, size) for polygon in segmentation
        ]
    if points := annotation.get('keypoints'):
        annotation['keypoints'] = _turn_points(points, 3, orientation, size)


def turn_box(
    box: Sequence[float], orientation: int, size: tuple[int, int]
) -> list[float]:
    """Turn a box with its image.

    Args:
        box: xywh, pixels of the stored image.
        orientation: EXIF orientation of the image, from 1 to 8.
        size: Width and height, pixels, of the stored image.

    Returns:
        xywh, pixels of the turned image.
    """
    x, y, width, height = box
    turn = _TURNS[orientation]
    (x1, y1), (x2, y2) = turn(x, y, *size), turn(x + width, y + height, *size)
    return [min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)]


def _turn_points(
    values: Sequence[float], step: int, orientation: int, size: tuple[int, int]
) -> list[float]:
    """Turn points that are written one after the other, ``step`` numbers each."""
    turn = _TURNS[orientation]
    turned = list(values)
    for place in range(0, len(values) - 1, step):
        turned[place : place + 2] = turn(*values[place : place + 2], *size)
    return turned
