import numpy as np
import torch

from m2det_mmdet.visualization import draw_predictions

BOXES = torch.tensor([[40.0, 20.0, 160.0, 80.0], [10.0, 70.0, 190.0, 95.0]])


def test_what_reaches_the_threshold_is_drawn() -> None:
    image = np.full((100, 200, 3), 255, np.uint8)

    pictures = [
        draw_predictions(
            image,
            BOXES,
            torch.tensor([0.9, 0.5]),
            torch.tensor([0, 0]),
            ('cell',),
            score_thr=threshold,
        )
        for threshold in (0.95, 0.6, 0.5)
    ]

    assert all(picture.shape == image.shape for picture in pictures)
    # Three places on the lower sides of the boxes.
    drawn = [(x[[79, 94], [150, 150]] != 255).any(axis=1).tolist() for x in pictures]
    assert drawn == [[False, False], [True, False], [True, True]]
