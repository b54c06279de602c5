"""A picture of an image with what was found in it."""

from math import sqrt

import mmcv
import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

# Drawing takes 123 bytes a pixel: 2 GB for so many.
_MOST_PIXELS = 16_000_000


def draw_predictions(
    visualizer: DetLocalVisualizer,
    image: np.ndarray,
    sample: DetDataSample,
    *,
    score_thr: float,
) -> np.ndarray:
    """Draw what was found in an image.

    Args:
        visualizer: Knows the names and colours of the classes.
        image: BGR, ``(H, W, 3)``.
        sample: What was found, in pixels of the image.
        score_thr: Lowest score to draw.

    Returns:
        The picture, BGR, of the image's size; of an image of more than 16 million
        pixels it has so many.
    """
    if image.shape[0] * image.shape[1] > _MOST_PIXELS:
        image, sample = _shrunk(image, sample)
    visualizer.add_datasample(
        'predictions',
        image[..., ::-1],
        sample,
        draw_gt=False,
        pred_score_thr=score_thr,
    )
    return visualizer.get_image()[..., ::-1]


def _shrunk(
    image: np.ndarray, sample: DetDataSample
) -> tuple[np.ndarray, DetDataSample]:
    """Return an image of fewer pixels, with the boxes that were found in it."""
    height, width = image.shape[:2]
    scale = sqrt(_MOST_PIXELS / (height * width))
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    found = sample.pred_instances
    factors = found.bboxes.new_tensor([size[0] / width, size[1] / height] * 2)
    boxes = InstanceData(
        bboxes=found.bboxes * factors, scores=found.scores, labels=found.labels
    )
    return mmcv.imresize(image, size, interpolation='area'), DetDataSample(
        pred_instances=boxes
    )
