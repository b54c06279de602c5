"""Seeded demo scenes in COCO format, with objects of graded complexity.

``shapes`` says what each class looks like, ``sprites`` turns a figure into
pixels, ``backgrounds`` makes what lies behind and what distracts, ``composer``
arranges one scene and ``writer`` puts the splits on disk. Needs numpy and
OpenCV only.
"""

from .composer import Scene, SceneObject, compose_scene
from .shapes import CLASSES, GRADES
from .writer import ScenesError, write_scenes

__all__ = [
    'CLASSES',
    'GRADES',
    'Scene',
    'SceneObject',
    'ScenesError',
    'compose_scene',
    'write_scenes',
]
