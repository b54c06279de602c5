from dataclasses import replace

import numpy as np

from m2det_mmdet.visualization import AnchorPlot, draw_anchors

BEFORE = AnchorPlot(
    name='before',
    sides=np.array([[10.0, 10.0], [100.0, 100.0]]),
    reached=np.array([True, True]),
    shapes=[[(10, 10)], [(100, 100)]],
    recalls={'all': 0.5, 'small': float('nan')},
)


def _columns(picture: np.ndarray) -> np.ndarray:
    """Columns in the three parts of a picture that have ink."""
    return (picture < 250).any(axis=(0, 2))


def test_before_and_after_stand_side_by_side() -> None:
    picture = draw_anchors([BEFORE, replace(BEFORE, name='after')], iou_thr=0.5)

    assert picture.shape == (600, 1600, 3)
    assert picture.dtype == np.uint8
    assert all(part.any() for part in np.array_split(_columns(picture), 3))


def test_objects_that_are_not_reached_are_red() -> None:
    after = replace(BEFORE, reached=np.array([True, False]))
    with_red, without = (
        draw_anchors([BEFORE, plot], iou_thr=0.5).astype(int)
        for plot in (after, BEFORE)
    )

    changed = abs(with_red - without).max(axis=2) > 30
    columns = changed.nonzero()[1]
    # In the second part alone, and BGR: red is last.
    assert 533 < columns.min() < columns.max() < 1067
    assert (with_red[changed][:, 2] > with_red[changed][:, 0]).all()


def test_a_better_recall_is_a_higher_bar() -> None:
    better = replace(BEFORE, recalls={'all': 1.0, 'small': float('nan')})
    same, higher = (
        draw_anchors([BEFORE, plot], iou_thr=0.5).astype(int)
        for plot in (BEFORE, better)
    )

    changed = abs(higher - same).max(axis=2) > 30
    blue = (higher[..., 0] > higher[..., 2] + 100) & changed
    rows, columns = blue.nonzero()
    assert columns.min() > 1067
    # From half to all of 120 units of about 520 pixels.
    assert 150 < rows.max() - rows.min() < 280


def test_colours_of_anchors_follow_their_scale() -> None:
    moved = replace(BEFORE, shapes=[[(10, 10)], [(20, 40)]])
    one, other = (
        draw_anchors([BEFORE, plot], iou_thr=0.5).astype(int)
        for plot in (BEFORE, moved)
    )

    assert (abs(one - other).max(axis=2) > 30)[:, 533:1067].any()
    assert not (abs(one - other).max(axis=2) > 30)[:, 1067:].any()
