"""A picture of an image with what was found in it."""

from collections.abc import Sequence

import numpy as np

from .boxes import draw_boxes


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
