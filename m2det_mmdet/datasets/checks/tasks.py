"""Labels for other tasks than detection: polygons, key points, rotated boxes."""

from collections.abc import Callable
from typing import Any

from ...utils.values import is_number
from ..faults import Faults, Kind, Level, new_kind
from ..layouts.folder import DataFolder
from .objects import objects_of, report_each

POLYGONS = new_kind(
    'labels-polygons',
    Level.NOTE,
    'objects with polygons or masks',
    'Their boxes are used, and nothing else.',
)
KEY_POINTS = new_kind(
    'labels-key-points',
    Level.NOTE,
    'objects with key points',
    'Their boxes are used, and nothing else.',
)
ROTATIONS = new_kind(
    'labels-rotated',
    Level.FAULT,
    'boxes with an angle, as the labelling tool says beside them',
    'They are read without the turn: export upright boxes, or polygons.',
)

_ANGLES = ('rotation', 'angle', 'theta')
Annotation = dict[str, Any]


def check_tasks(folder: DataFolder, faults: Faults) -> None:
    """Count labels that a detector of upright boxes does not use."""
    tests: dict[Kind, tuple[Callable[[Annotation], bool], str]] = {
        POLYGONS: (_has_polygons, 'has polygons or a mask'),
        KEY_POINTS: (_has_key_points, 'has key points'),
        ROTATIONS: (_is_turned, 'has an angle'),
    }
    for split, part in folder.parts.items():
        objects = objects_of(split, part)
        for kind, (holds, what) in tests.items():
            annotations = enumerate(part.content['annotations'])
            report_each(
                faults,
                kind,
                [index for index, annotation in annotations if holds(annotation)],
                lambda i, objects=objects, what=what: f'{objects.describe(i)} {what}.',
            )


def _has_polygons(annotation: Annotation) -> bool:
    return bool(annotation.get('segmentation'))


def _has_key_points(annotation: Annotation) -> bool:
    return bool(annotation.get('keypoints'))


def _is_turned(annotation: Annotation) -> bool:
    """Whether a box is turned by another angle than a half turn.

    CVAT writes it among the attributes.
    """
    attributes = annotation.get('attributes')
    places = [annotation, attributes if isinstance(attributes, dict) else {}]
    angles = [place.get(key, 0) for place in places for key in _ANGLES]
    return any(is_number(angle) and angle % 180 for angle in angles)
