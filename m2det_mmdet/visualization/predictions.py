"""Pictures of images and frames with what was found in them."""

from collections.abc import Sequence

import numpy as np

from .boxes import draw_boxes
from .palette import class_colors

_COLORS = 50  # of tracks, which repeat
_GREY = (128, 128, 128)


def draw_predictions(
    image: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    score_thr: float,
) -> np.ndarray:
    """Draw what was found in an image.

    Args:
        image: BGR, ``(H, W, 3)``, uint8.
        boxes: ``(K, 4)``, xyxy, pixels of the image.
        scores: ``(K,)``.
        labels: ``(K,)``, places in ``classes``.
        classes: Names of the classes.
        score_thr: Lowest score to draw.

    Returns:
        The picture, BGR, of the image's size.
    """
    boxes, scores, labels = (np.asarray(x) for x in (boxes, scores, labels))
    shown = scores >= score_thr
    return draw_boxes(image, boxes[shown], labels[shown], classes, scores=scores[shown])


def draw_tracks(
    image: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    tracks: Sequence[int | None],
) -> np.ndarray:
    """Draw objects that are followed through a video, each in a colour of its own.

    Args:
        image: BGR, ``(H, W, 3)``, uint8.
        boxes: ``(K, 4)``, xyxy, pixels of the image.
        scores: ``(K,)``.
        names: ``(K,)``, of the classes.
        tracks: ``(K,)``, the number of each object, from 1 on; ``None`` for one that is
            not followed yet, which is grey.

    Returns:
        The picture, BGR, of the image's size.
    """
    colors = class_colors(_COLORS)
    return draw_boxes(
        image,
        boxes,
        np.arange(len(names)),
        [
            name if track is None else f'{name} #{track}'
            for name, track in zip(names, tracks, strict=True)
        ],
        scores=scores,
        palette=[_GREY if x is None else colors[(x - 1) % _COLORS] for x in tracks],
    )
