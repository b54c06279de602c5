"""Pictures of ground truth beside what was found, for a report."""

from collections.abc import Collection

import numpy as np

from ..utils.images import read_images
from ..visualization.pairs import Highlight, draw_pair
from .findings import EvaluatedDetector, boxes_of, corners
from .page import Picture, photo

_WIDTH = 960  # pixels of both halves


def pair(
    data: EvaluatedDetector,
    image_id: int,
    score_thr: float,
    caption: str,
    *,
    detections: Collection[int] = (),
    objects: Collection[int] = (),
) -> Picture | None:
    """Draw an image twice: with its objects, and with what was found.

    Args:
        data: The evaluation.
        image_id: The image.
        score_thr: The lowest score that is drawn.
        caption: What the picture shows.
        detections: Ids of those that it is about, which are drawn at any score.
        objects: Likewise of objects.

    Returns:
        ``None`` if the image cannot be read any more.
    """
    path = data.truth.imgs[image_id]['file_name']
    ((_, image),) = read_images([path], data.read)
    if image is None:
        return None
    truth = boxes_of(data.truth, image_id)
    found = {
        id_: item
        for id_, item in boxes_of(data.found, image_id).items()
        if item['score'] >= score_thr or id_ in detections
    }
    about = Highlight(
        [place for place, id_ in enumerate(truth) if id_ in objects],
        [place for place, id_ in enumerate(found) if id_ in detections],
    )
    picture = draw_pair(
        image,
        corners([*truth.values()]),
        _labels(truth),
        corners([*found.values()]),
        np.array([item['score'] for item in found.values()], dtype=float),
        _labels(found),
        data.classes,
        width=_WIDTH,
        highlight=about if detections or objects else None,
    )
    name = data.image_name(image_id)
    return photo(picture, f'{caption} {name}', f'{caption} {name}')


def _labels(items: dict[int, dict]) -> np.ndarray:
    # Classes are numbered from 1 in the order of the labels.
    labels = [item['category_id'] - 1 for item in items.values()]
    return np.array(labels, dtype=int)
