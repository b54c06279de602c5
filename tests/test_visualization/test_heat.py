import numpy as np

from m2det_mmdet.visualization.heat import draw_heat


def test_heat_is_bright_over_the_gray_image() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = (200, 0, 0)
    picture = draw_heat(image, np.array([[1.0, 1.0], [0.0, 0.0]]))

    assert picture.shape == image.shape
    # Hot parts are yellow; cold ones show the image, without its colour.
    assert picture[0, 0, 2] > 140 > picture[0, 0, 0]
    assert picture[-1, 0].max() < 5
    assert np.ptp(picture[-1, -1]) < 5 < picture[-1, -1].min()
    assert image[0, 79].tolist() == [200, 0, 0]
