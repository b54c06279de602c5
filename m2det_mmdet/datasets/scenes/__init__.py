"""Seeded demo scenes in COCO format, with objects of graded complexity.

``shapes`` and ``toys`` draw the classes of two ``collections``, ``sprites`` turns a
figure into pixels, ``backgrounds`` makes backgrounds and distractors, ``composer``
arranges one scene and ``writer`` writes the splits to disk. Needs only numpy and
OpenCV.
"""

from .collections import COLLECTIONS
from .composer import Scene, SceneObject, compose_scene
from .shapes import CLASSES, GRADES
from .writer import ScenesError, write_scenes

__all__ = [
    'CLASSES',
    'COLLECTIONS',
    'GRADES',
    'Scene',
    'SceneObject',
    'ScenesError',
    'compose_scene',
    'write_scenes',
]
