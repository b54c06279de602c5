"""The sets of classes that scenes can be made of."""

from typing import NamedTuple

from . import shapes, toys
from .shapes import Drawing


class Collection(NamedTuple):
    """A set of classes.

    Attributes:
        drawings: What draws each class, by its name.
        grades: Complexity of each class: ``plain``, ``textured`` or ``composed``.
    """

    drawings: dict[str, Drawing]
    grades: dict[str, str]


COLLECTIONS = {
    'figures': Collection(shapes.DRAWINGS, shapes.GRADES),
    'toys': Collection(toys.DRAWINGS, dict.fromkeys(toys.DRAWINGS, 'composed')),
}
