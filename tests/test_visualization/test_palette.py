from itertools import combinations

import numpy as np

from m2det_mmdet.visualization.palette import class_colors


def test_each_class_has_a_colour_that_others_do_not_change() -> None:
    many = class_colors(300)

    assert len(set(many)) == 300
    for count in (0, 1, 5, 80):
        assert class_colors(count) == many[:count]
    assert all(0 <= value <= 255 for color in many for value in color)


def test_colours_of_80_classes_are_no_two_alike() -> None:
    colors = np.array(class_colors(80), int)

    nearest = min(abs(a - b).max() for a, b in combinations(colors, 2))
    assert nearest >= 20
    # Neither black, white nor gray.
    assert np.ptp(colors, axis=1).min() > 30


def test_after_all_colours_they_repeat() -> None:
    colors = class_colors(9000)

    assert len(colors) == 9000
    assert len(set(colors)) < 9000
    assert colors[len(set(colors))] == colors[0]
