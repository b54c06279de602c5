import numpy as np

from m2det_mmdet.visualization.overlays import grayed, spread


def test_cells_keep_their_borders_and_lose_what_was_filled_up() -> None:
    cells = np.array([[1.0, 2, 3], [4, 5, 6]], np.float32)
    # Of the input's width the image takes two thirds, and of its height a half.
    found = spread(cells, (2, 4), (0.5, 2 / 3))
    assert found.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_gray_has_equal_channels() -> None:
    image = np.array([[[10, 200, 30], [90, 90, 90]]], np.uint8)
    found = grayed(image)
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 0] == found[..., 2]).all()
    assert found[0, 1].tolist() == [90, 90, 90]
