from matplotlib.colors import to_hex

from m2det_mmdet.visualization.error_costs import plot_error_costs
from m2det_mmdet.visualization.style import GRAY


def test_a_bar_is_as_long_as_its_cost() -> None:
    costs = {'class': 0.1, 'missed': 0.25, 'false positives': 0.3}
    counts = {'class': 1234, 'missed': 2, 'false positives': 0}

    figure = plot_error_costs(costs, counts, totals=['false positives'])

    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.1, 0.25, 0.3]
    labels = ['0.100  (1,234)', '0.250  (2)', '0.300  (0)']
    assert [text.get_text() for text in axes.texts] == labels
    assert [text.get_text() for text in axes.get_yticklabels()] == list(costs)
    # The first is on top.
    assert axes.yaxis_inverted()
    colors = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert colors[0] == colors[1] != GRAY
    assert colors[2] == GRAY


def test_numbers_stay_inside() -> None:
    figure = plot_error_costs(
        {'class': -0.02, 'both': 0.0, 'missed': 0.9},
        {
            'class': 10**6,
            'both': 10**6,
            'missed': 10**6,
        },
    )

    figure.draw_without_rendering()
    (axes,) = figure.axes
    for text in axes.texts:
        box = text.get_window_extent()
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1


def test_small_costs_look_small() -> None:
    axes = plot_error_costs({'class': 0.0, 'both': 0.001}, {'class': 0, 'both': 1}).axes

    low, high = axes[0].get_xlim()
    assert low == 0
    assert high >= 0.05
