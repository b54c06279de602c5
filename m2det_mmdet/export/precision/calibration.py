"""What every way to int8 takes, and what it returns."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ..errors import ExportError
from ..runtimes.exported import Run

# Tells how well detections are, e.g. AP, 0..1; the higher the better.
Score = Callable[[Run], float]
# What computes in int8: convolutions, and what lies between them, so that maps stay in
# int8 from one to the next. A sum of squares would not bear it.
OPERATORS = ('Conv', 'Relu', 'Add', 'Mul', 'Sigmoid', 'Concat', 'MaxPool', 'Resize')


class Quantized(NamedTuple):
    """A model in int8.

    Attributes:
        model: The model.
        kept: Names of the layers whose weights are not in int8, in the order of the
            graph.
        before: The score in float32; ``None`` without a function that tells it.
        after: That of the model.
    """

    model: Any
    kept: tuple[str, ...]
    before: float | None
    after: float | None


def checked_images(images: Iterable[np.ndarray], max_drop: float) -> list[np.ndarray]:
    """Return the images to calibrate with.

    Raises:
        ExportError: If there is none, or ``max_drop`` is no part of a score.
    """
    if not (isinstance(max_drop, int | float) and 0 <= max_drop < math.inf):
        raise ExportError(f'max_drop must be a number from 0, got {max_drop!r}.')
    found = list(images)
    if not found:
        raise ExportError(
            'int8 needs images like those that the detector is for, got none: give '
            'some by --data.'
        )
    return found


def too_costly(before: float, after: float, layers: int) -> ExportError:
    """Return the error on a model that loses more than it may."""
    return ExportError(
        f'int8 takes the score from {before:.4f} to {after:.4f} at best, and keeping '
        f'some of its {layers} layers in float32 is not enough: take --precision fp16, '
        'a larger --max-drop, or more images to calibrate with.'
    )
