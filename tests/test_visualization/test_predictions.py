import numpy as np
import torch

from m2det_mmdet.visualization import draw_predictions, draw_tracks
from m2det_mmdet.visualization.palette import class_colors

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


def test_a_track_has_the_same_colour_in_all_frames() -> None:
    image = np.full((100, 200, 3), 255, np.uint8)
    boxes, scores = BOXES.numpy(), np.array([0.9, 0.5])

    first = draw_tracks(image, boxes, scores, ['cell', 'cell'], [2, None])
    later = draw_tracks(image, boxes[::-1], scores, ['cell', 'rod'], [None, 2])

    second = list(class_colors(2)[1][::-1])
    for picture in (first, later):
        # On the lower sides of the boxes.
        assert picture[79, 150].tolist() == second
        assert picture[94, 150].tolist() == [128, 128, 128]
    assert (image == 255).all()
    assert (draw_tracks(image, boxes[:0], scores[:0], [], []) == 255).all()
