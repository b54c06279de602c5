"""A picture of an image with what was found in it."""

import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer


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
        The picture, BGR, of the image's size.
    """
    visualizer.add_datasample(
        'predictions',
        image[..., ::-1],
        sample,
        draw_gt=False,
        pred_score_thr=score_thr,
    )
    return visualizer.get_image()[..., ::-1]
