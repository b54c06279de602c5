import numpy as np
import pytest

from m2det_mmdet.visualization.levels import draw_level_maps, draw_level_shares

IMAGE = np.full((40, 80, 3), 128, np.uint8)
MAP = np.array([[[1.0, -1.0]]])


def test_maps_are_red_for_a_class_and_blue_against_it() -> None:
    maps = [np.array([[[2.0, 0]], [[0, -2.0]]]), np.zeros((2, 1, 1))]
    figure = draw_level_maps(IMAGE, maps, 'disc', boxes=np.array([[10, 10, 20, 20]]))
    axes = [x for x in figure.axes if x.images]
    pictures = [x.images[0].get_array() for x in axes[:3]]

    # Two rows of two levels and their sum.
    assert len(axes) == 6
    assert [x.get_title() for x in axes[:3]] == ['level 1', 'level 2', 'sum']
    left, right = (10, 5), (10, 75)
    red, blue = [1, -1]
    for picture, place, sign in (
        (pictures[0], left, red),
        (pictures[1], right, blue),
        (pictures[2], left, red),
        (pictures[2], right, blue),
    ):
        pixel = picture[place]
        assert np.sign(pixel[0] - pixel[2]) == sign
    assert np.ptp(pictures[0][right]) < 0.01
    (boxes,) = axes[0].collections
    assert boxes.get_paths()[0].get_extents().extents.tolist() == [10, 10, 20, 20]


@pytest.mark.slow
def test_a_slim_image_has_a_page_of_usual_size() -> None:
    figure = draw_level_maps(np.full((9000, 9, 3), 128, np.uint8), [MAP], 'disc')
    assert max(figure.get_size_inches()) < 10


def test_what_was_filled_up_is_cut_off() -> None:
    # The image is the left half of the input.
    figure = draw_level_maps(IMAGE, [MAP], 'disc', covered=(1.0, 0.5))
    picture = figure.axes[0].images[0].get_array()

    assert picture.shape == (40, 80, 3)
    assert (picture[..., 0] > picture[..., 2]).all()


def test_shares_lie_beside_each_other_by_their_sign() -> None:
    figure = draw_level_shares({'a': [1.0, 2.0], 'b': [3.0, -1.0]}, 'title')
    bars = [
        (round(bar.get_x(), 6), round(bar.get_width(), 6))
        for bar in figure.axes[0].patches
        if bar.get_width()
    ]
    assert sorted(bars) == [(0, -1), (0, 1), (0, 3), (1, 2)]
