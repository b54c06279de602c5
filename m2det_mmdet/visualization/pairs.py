"""An image twice: with ground truth, and with what was found."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .boxes import draw_boxes
from .grids import scaled
from .texts import paste, text_patch

_GAP = 8  # pixels between the two
_STRIP = 24  # pixels: height of a caption
_FONT_SIZE = 14  # pixels
_INK, _PAPER = (47, 41, 36), (255, 255, 255)
_TALLEST = 1.5  # height of a half by its width
# A highlighted box of fewer pixels is hard to see; its image is cropped.
_LEAST_SIDE = 48
# The crop is so many times as large as what is highlighted, and at least 100 pixels.
_AROUND, _LEAST_CROP = 3, 100
_FAINT = 0.35  # how strong boxes are that are not highlighted


class Highlight(NamedTuple):
    """What a picture of a pair is about.

    Attributes:
        truth: Places of objects in the ground truth.
        found: Places of boxes among those that were found.
    """

    truth: Sequence[int] = ()
    found: Sequence[int] = ()


def draw_pair(
    image: np.ndarray,
    truth_boxes: np.ndarray,
    truth_labels: np.ndarray,
    found_boxes: np.ndarray,
    found_scores: np.ndarray,
    found_labels: np.ndarray,
    classes: Sequence[str],
    *,
    width: int,
    highlight: Highlight | None = None,
) -> np.ndarray:
    """Draw ground truth beside predictions, each below its caption.

    With ``highlight`` the boxes that it names are drawn with names, and the others
    faintly without. If one of them were smaller than 48 pixels in the picture, both
    sides show the part of the image around all of them, three times as large as they
    are, and the caption says so: an error in a large image could not be seen otherwise.

    Args:
        image: BGR, ``(H, W, 3)``, uint8.
        truth_boxes: ``(N, 4)``, xyxy, pixels of the image.
        truth_labels: ``(N,)``, places in ``classes``.
        found_boxes: ``(K, 4)``, xyxy, pixels of the image.
        found_scores: ``(K,)``.
        found_labels: ``(K,)``, places in ``classes``.
        classes: Names of the classes.
        width: Of the picture, pixels.
        highlight: What the picture is about; ``None`` for all.

    Returns:
        The picture, BGR, ``width`` pixels wide; a half is at most 1.5 times as high as
        wide.
    """
    truth_boxes, found_boxes = (
        np.asarray(boxes, np.float64).reshape(-1, 4)
        for boxes in (truth_boxes, found_boxes)
    )
    half = (width - _GAP) // 2
    left, top, right, bottom = window = _window(
        image, truth_boxes, found_boxes, half, highlight
    )
    part = image[top:bottom, left:right]
    scale = _scale(part, half)
    picture, start = scaled(part, scale), np.array([left, top] * 2)
    truth = _half(
        picture,
        (truth_boxes - start) * scale,
        truth_labels,
        classes,
        None,
        highlight and highlight.truth,
    )
    found = _half(
        picture,
        (found_boxes - start) * scale,
        found_labels,
        classes,
        found_scores,
        highlight and highlight.found,
    )
    is_part = window != (0, 0, image.shape[1], image.shape[0])
    return _beside(truth, found, width, ' (part of the image)' if is_part else '')


def _scale(part: np.ndarray, half: int) -> float:
    """Return how large an image is drawn, as a factor."""
    height, width = part.shape[:2]
    return min(half / width, _TALLEST * half / height)


def _window(
    image: np.ndarray,
    truth_boxes: np.ndarray,
    found_boxes: np.ndarray,
    half: int,
    highlight: Highlight | None,
) -> tuple[int, int, int, int]:
    """Choose the part of an image that is shown, xyxy, pixels."""
    height, width = image.shape[:2]
    whole = (0, 0, width, height)
    if highlight is None:
        return whole
    boxes = np.concatenate(
        (truth_boxes[list(highlight.truth)], found_boxes[list(highlight.found)])
    )
    boxes = np.clip(boxes[np.isfinite(boxes).all(axis=1)], 0, [width, height] * 2)
    if not len(boxes):
        return whole
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    if sides.min() * _scale(image, half) >= _LEAST_SIDE:
        return whole
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    # As wide by high as the image, so that it fills as much of the picture.
    factor = max(*((high - low) * _AROUND / (width, height)), _LEAST_CROP / width)
    size = np.minimum(np.ceil(np.array([width, height]) * factor), [width, height])
    size = np.maximum(size, 1)
    start = np.clip(np.floor((low + high - size) / 2), 0, [width, height] - size)
    return tuple(int(value) for value in (*start, *(start + size)))


def _half(
    picture: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    scores: np.ndarray | None,
    strong: Sequence[int] | None,
) -> np.ndarray:
    """Draw boxes; those that are not ``strong``, if any are named, faintly."""
    labels = np.asarray(labels)
    scores = None if scores is None else np.asarray(scores)
    if strong is None:
        return draw_boxes(picture, boxes, labels, classes, scores=scores)
    chosen = np.zeros(len(boxes), bool)
    chosen[list(strong)] = True
    faint = draw_boxes(
        picture, boxes[~chosen], labels[~chosen], classes, named=False, line_width=1
    )
    mixed = cv2.addWeighted(faint, _FAINT, picture, 1 - _FAINT, 0)
    own = None if scores is None else scores[chosen]
    return draw_boxes(mixed, boxes[chosen], labels[chosen], classes, scores=own)


def _beside(truth: np.ndarray, found: np.ndarray, width: int, end: str) -> np.ndarray:
    """Put both on white, with captions."""
    half = (width - _GAP) // 2
    picture = np.full((_STRIP + truth.shape[0], width, 3), 255, np.uint8)
    for part, left, text in (
        (truth, 0, 'ground truth'),
        (found, width - half, 'predictions'),
    ):
        caption = text_patch(text + end, _FONT_SIZE, ink=_INK, paper=_PAPER, most=half)
        place = picture[:, left : left + half]
        paste(place, caption, 0, (_STRIP - len(caption)) // 2)
        place[_STRIP:, : part.shape[1]] = part
    return picture
