from itertools import combinations
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from PIL import Image

from m2det_mmdet.visualization.costs import (
    CostPoint,
    draw_costs,
    pareto_front,
    plot_costs,
)

# Necks of one head: costs and AP close together, names long.
CROWD = (
    CostPoint('m2det_r18_mlfpn_bccd', 12.4, 0.472, 0.011),
    CostPoint('ssd_neck_r18_bccd', 8.1, 0.441, 0.014),
    CostPoint('fpn_r18_m2det_head_bccd', 9.6, 0.468, 0.008),
    CostPoint('pafpn_r18_m2det_head_bccd', 10.4, 0.471, 0.012),
    CostPoint('nasfpn_3stack_r18_bccd', 16.8, 0.462, 0.02),
    CostPoint('bifpn_d0_r18_m2det_head_bccd', 7.9, 0.455, 0.009),
    CostPoint('augfpn_r18_m2det_head_bccd', 9.9, 0.470, 0.006),
    CostPoint('rfp_detectors_r18_own_backbone', 31.0, 0.481, 0.013),
    CostPoint('dssd_r18_m2det_head_bccd', 14.1, 0.449, 0.01),
    CostPoint('tcb_refinedet_r18_bccd', 9.5, 0.465, 0.012),
    CostPoint('tum1_r18_bccd', 9.4, 0.4655, 0.01),
)


def _plot(*points: CostPoint) -> Figure:
    return plot_costs(points, x_label='GFLOP', y_label='AP')


@pytest.fixture(scope='module')
def crowded() -> Figure:
    return _plot(*CROWD)


def _labels(figure: Figure) -> dict[str, Bbox]:
    """Return what each label covers, pixels."""
    texts = figure.axes[0].findobj(Annotation)
    # Of an annotation the text alone, without its anchor.
    return {text.get_text(): text.get_tightbbox() for text in texts}


def _markers(figure: Figure, points: tuple[CostPoint, ...]) -> list[Bbox]:
    centres = figure.axes[0].transData.transform([(p.cost, p.ap) for p in points])
    radius = 4 * figure.dpi / 72
    return [Bbox([centre - radius, centre + radius]) for centre in centres]


def test_the_front_has_what_no_other_model_beats() -> None:
    cheap, tie, good = (CostPoint(*p) for p in (('a', 1, 3), ('b', 1, 3), ('c', 4, 5)))
    worse = (
        CostPoint('dearer', 2, 3),
        CostPoint('lower', 1, 2),
        CostPoint('both', 5, 4),
    )

    assert pareto_front([good, *worse, cheap, tie]) == [cheap, tie, good]


def test_labels_keep_off_each_other_the_markers_and_the_border(
    crowded: Figure,
) -> None:
    labels = _labels(crowded)
    markers = _markers(crowded, CROWD)

    assert list(labels) == [point.name for point in CROWD]
    for one, other in combinations(labels.values(), 2):
        assert not one.overlaps(other)
    for label in labels.values():
        assert not label.count_overlaps(markers)
        assert Bbox.intersection(label, crowded.axes[0].bbox).bounds == label.bounds


def test_a_label_away_from_its_point_has_a_line_to_it(crowded: Figure) -> None:
    axes = crowded.axes[0]
    points = axes.transData.transform([(p.cost, p.ap) for p in CROWD])
    # These lines have pixels for coordinates.
    starts = [tuple(line.get_xydata()[0]) for line in axes.lines]
    far = []
    for point, (name, box) in zip(points, _labels(crowded).items(), strict=True):
        gap = np.hypot(*(point - np.clip(point, box.min, box.max)))
        far += [name] if gap > 40 else []
        assert (tuple(point) in starts) == (gap > 40), name

    assert far


def test_equal_points_get_a_label_each() -> None:
    points = tuple(CostPoint(name, 3, 0.4) for name in ('one', 'two', 'three', 'four'))
    labels = list(_labels(_plot(*points)).values())

    assert len(labels) == 4
    assert not any(one.overlaps(other) for one, other in combinations(labels, 2))


@pytest.mark.parametrize(
    ('costs', 'scale'), [((1, 10), 'linear'), ((1, 11), 'log'), ((0, 11), 'linear')]
)
def test_costs_of_more_than_a_decade_get_a_logarithmic_axis(
    costs: tuple[float, float], scale: str
) -> None:
    figure = _plot(*(CostPoint(str(cost), cost, 0.4) for cost in costs))

    assert figure.axes[0].get_xscale() == scale


def test_neither_axis_shows_what_cannot_be() -> None:
    figure = _plot(CostPoint('a', 0, 0), CostPoint('b', 5, 0.1, spread=0.05))

    assert figure.axes[0].get_xlim()[0] == 0
    assert figure.axes[0].get_ylim()[0] == 0


def test_small_differences_look_small() -> None:
    points = [CostPoint('a', 54.6, 0.577), CostPoint('b', 56.6, 0.594)]
    axes = plot_costs(points, x_label='ms', y_label='AP').axes[0]
    for (low, high), largest in ((axes.get_xlim(), 56.6), (axes.get_ylim(), 0.594)):
        assert 0.2 * largest <= high - low < 0.25 * largest
        assert low < largest < high


def test_the_spread_becomes_an_error_bar() -> None:
    figure = _plot(CostPoint('a', 2, 0.4, spread=0.1), CostPoint('b', 3, 0.3))
    ends = [line.get_xydata().tolist() for line in figure.axes[0].lines]

    assert [[2, pytest.approx(0.3)], [2, 0.5]] in ends


def test_the_front_goes_right_and_then_up() -> None:
    figure = _plot(CostPoint('a', 2, 0.3), CostPoint('b', 3, 0.4))
    front = figure.axes[0].lines[0]

    assert front.get_xydata().tolist() == [[2, 0.3], [3, 0.4]]
    assert front.get_drawstyle() == 'steps-post'


def test_models_without_ap_are_named_below() -> None:
    figure = _plot(
        CostPoint('fine', 2, 0.4),
        CostPoint('failed', 3, nan),
        CostPoint('endless', inf, 0.3),
    )

    assert list(_labels(figure)) == ['fine']
    assert figure.get_supxlabel() == 'Without AP or cost: failed, endless.'


def test_without_any_ap_there_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none among \['a', 'b'\]: leave the plot"):
        draw_costs(
            [CostPoint('a', 1, nan), CostPoint('b', nan, 1)],
            tmp_path / 'out.png',
            x_label='x',
            y_label='y',
        )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('spread', [None, 0.1])
def test_one_point_makes_a_picture_on_white(
    tmp_path: Path, spread: float | None
) -> None:
    out = tmp_path / 'out.png'
    # A dollar sign starts a formula elsewhere in matplotlib.
    point = CostPoint('r18 $_{', 3, 0.4, spread)
    draw_costs([point], out, x_label='cost in $', y_label='AP $')

    with Image.open(out) as image:
        pixels = np.asarray(image.convert('RGB'))
    assert pixels.shape == (1000, 1600, 3)
    assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    blue = (pixels == (10, 88, 202)).all(axis=-1)
    assert blue.sum() > 200
    assert pyplot.get_fignums() == []
