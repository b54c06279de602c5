"""The images that tell most of a detector: its best, its worst, and those of errors."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .errors import ERROR_KINDS, DetectorError, ErrorKind
from .matches import Matches

# The F1 of all images counts in that of each like so many detections and objects.
_WEIGHT = 4


class ImageFigures(NamedTuple):
    """What a detector finds in an image.

    Attributes:
        image_id: Id of the image.
        tp: Objects that are found.
        fp: Detections that are wrong.
        fn: Objects that are missed.
        score: Between 0 and 1, for a ranking: see :func:`image_figures`.
    """

    image_id: Any
    tp: int
    fp: int
    fn: int
    score: float


def image_figures(matches: Matches, *, score_thr: float) -> list[ImageFigures]:
    """Count what is found in each image, and score it.

    The score is the image's F1, drawn to that of all images as if four more detections
    and objects had it. The plain F1 of an image with one object is 0 or 1, so that such
    images would be the worst and the best of all; a count of errors would call the
    images of many objects the worst. This one asks for evidence: an image is bad where
    more goes wrong than is usual for so many objects.

    Args:
        matches: Detections and objects.
        score_thr: The lowest score of a detection that counts.

    Returns:
        All images, by their ids.
    """
    outcomes = matches.at(score_thr)
    images = matches.detections.image, matches.detections.image, matches.objects.image
    tp, fp, fn = (
        np.bincount(image[flags], minlength=len(matches.image_ids))
        for image, flags in zip(images, outcomes, strict=True)
    )
    total = 2 * tp + fp + fn
    usual = 2 * tp.sum() / max(total.sum(), 1)
    scores = (2 * tp + _WEIGHT * usual) / (total + _WEIGHT)
    columns = (column.tolist() for column in (tp, fp, fn, scores))
    return list(map(ImageFigures, matches.image_ids, *columns))


def best_images(figures: Iterable[ImageFigures], n: int) -> list[ImageFigures]:
    """Return up to ``n`` images in which something is found, from the best on."""
    found = [image for image in figures if image.tp]
    return sorted(found, key=lambda image: (-image.score, -image.tp))[:n]


def worst_images(figures: Iterable[ImageFigures], n: int) -> list[ImageFigures]:
    """Return up to ``n`` images with an error, from the worst on."""
    wrong = [image for image in figures if image.fp or image.fn]
    return sorted(wrong, key=lambda image: (image.score, -image.fp - image.fn))[:n]


def telling_errors(
    errors: Sequence[DetectorError], n: int
) -> dict[ErrorKind, list[DetectorError]]:
    """Choose examples of each kind of error.

    The higher the score of a wrong detection, the more AP it costs; of objects that are
    missed the largest come first, as those that a person sees at once.

    Args:
        errors: Errors of one detector.
        n: How many of a kind.

    Returns:
        Up to ``n`` errors of each kind, of different images where there are enough.
    """
    ranked = sorted(errors, key=lambda error: (-(error.score or 0), -error.area))
    of_kind = {
        kind: [error for error in ranked if error.kind == kind] for kind in ERROR_KINDS
    }
    return {kind: _spread(found)[:n] for kind, found in of_kind.items()}


def _spread(errors: Sequence[DetectorError]) -> list[DetectorError]:
    """Move the first error of each image before all others."""
    first: dict[Any, DetectorError] = {}
    others = [
        error
        for error in errors
        if first.setdefault(error.image_id, error) is not error
    ]
    return [*first.values(), *others]
