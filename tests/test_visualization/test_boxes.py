import numpy as np
import pytest

from m2det_mmdet.visualization.boxes import draw_boxes, font_size_of, line_width_of
from m2det_mmdet.visualization.texts import text_patch

RED = ((255, 0, 0),)  # as RGB
BLUE_RED_GREEN = ((0, 0, 255), (255, 0, 0), (0, 255, 0))
GRAY = 90


def _image(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GRAY, np.uint8)


def _changed(picture: np.ndarray) -> np.ndarray:
    return (picture != GRAY).any(axis=2)


def _lines(picture: np.ndarray, *boxes: list[float], **options: object) -> np.ndarray:
    """Where lines are drawn, without names."""
    options = {'palette': RED, 'named': False, **options}
    labels = [0] * len(boxes)
    return _changed(draw_boxes(picture, np.array(boxes), labels, ['cell'], **options))


def test_lines_lie_on_the_sides_and_nowhere_else() -> None:
    image = _image(100, 200)

    picture = draw_boxes(
        image, [[40, 20, 160, 80]], [0], ['cell'], palette=RED, named=False
    )

    expected = np.full((100, 200), False)
    expected[20:80, 40:160] = True
    expected[21:79, 41:159] = False
    assert (_changed(picture) == expected).all()
    # Red, as BGR.
    assert (picture[expected] == (0, 0, 255)).all()
    assert (image == GRAY).all()


def test_lines_and_letters_grow_with_the_image() -> None:
    sizes = [_image(75, 100), _image(480, 640), _image(900, 1200)]
    huge = np.broadcast_to(np.uint8(0), (9000, 12000, 3))

    assert [line_width_of(x) for x in (*sizes, huge)] == [1, 2, 3, 22]
    assert [font_size_of(x) for x in (*sizes, huge)] == [9, 15, 22, 147]


def test_a_wide_line_is_centred_on_the_side() -> None:
    columns = _lines(_image(900, 1200), [300, 300, 600, 600])[450].nonzero()[0]

    # Three pixels: one outside of the box and two inside.
    assert columns.tolist() == [299, 300, 301, 598, 599, 600]


def test_an_object_smaller_than_its_line_stays_visible() -> None:
    drawn = _lines(_image(100, 100), [50, 50, 54, 54], line_width=9)

    assert not drawn[51:53, 51:53].any()
    assert drawn[52, 42:51].all()
    assert drawn[52, 53:62].all()


@pytest.mark.parametrize('line', [1, 5])
def test_at_the_border_lines_stay_inside(line: int) -> None:
    drawn = _lines(_image(60, 80), [-30, -np.inf, 1e300, np.inf], line_width=line)

    expected = np.full((60, 80), True)
    expected[line:-line, line:-line] = False
    assert (drawn == expected).all()


@pytest.mark.parametrize(
    'box',
    [
        [np.nan, 10, 50, 50],
        [10, 10, 50, np.nan],
        [50, 10, 20, 40],
        [10, 40, 50, 20],
        [-50, 10, -5, 40],
        [80, 10, 99, 40],
        [10, -40, 40, -1],
        [10, 60, 40, 70],
    ],
)
def test_what_has_no_pixel_is_left_out(box: list[float]) -> None:
    boxes, labels, scores = [box, [20, 20, 30, 30]], [0, 0], [0.9, 0.8]
    options = {'palette': RED}
    both = draw_boxes(_image(60, 80), boxes, labels, ['c'], scores=scores, **options)
    alone = draw_boxes(_image(60, 80), boxes[1:], [0], ['c'], scores=[0.8], **options)

    assert _changed(alone).any()
    assert (both == alone).all()


def test_a_box_without_width_is_a_line() -> None:
    columns = _lines(_image(60, 80), [40, 10, 40, 50])[30].nonzero()[0]

    assert len(columns) in (1, 2)
    assert abs(columns - 40).max() <= 1


def test_no_box_leaves_the_image_as_it_is() -> None:
    image = _image(60, 80)
    nothing = np.zeros((0, 4)), np.zeros(0)

    picture = draw_boxes(image, *nothing, ['cell'], scores=np.zeros(0))

    assert (picture == image).all()
    assert not np.shares_memory(picture, image)


def test_the_best_box_is_on_top() -> None:
    boxes = [[10, 40, 90, 90]] * 3

    picture = draw_boxes(
        _image(100, 100),
        boxes,
        [0, 1, 2],
        ['a', 'b', 'c'],
        scores=[0.3, 0.9, np.nan],
        palette=BLUE_RED_GREEN,
        named=False,
    )

    assert (picture[_changed(picture)] == (0, 0, 255)).all()


def test_without_scores_the_smaller_box_is_on_top() -> None:
    boxes = [[10, 10, 30, 30], [10, 10, 90, 90]]

    picture = draw_boxes(
        _image(100, 100),
        boxes,
        [0, 1],
        ['a', 'b'],
        palette=BLUE_RED_GREEN,
        named=False,
    )

    assert picture[10, 10].tolist() == [255, 0, 0]
    assert picture[10, 80].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ('box', 'top'),
    [
        # A name is 17 pixels high, and a line 2, one of them outside of the box.
        ([150, 100, 250, 200], 99 - 17),
        ([390, 290, 400, 300], 289 - 17),
        ([0, 270, 10, 300], 269 - 17),
        # No space above: below the line.
        ([-20, -20, 50, 50], 2),
        ([370, 0, 400, 30], 2),
    ],
)
def test_a_name_stays_inside_and_next_to_its_box(box: list[float], top: int) -> None:
    image = _image(300, 400)
    lines = _lines(image, box)

    picture = draw_boxes(image, [box], [0], ['some cell'], scores=[0.5], palette=RED)

    rows, _ = (_changed(picture) & ~lines).nonzero()
    size = font_size_of(image)
    # A whole name, which covers no line.
    name = text_patch(
        'some cell 0.50', size, ink=(255, 255, 255), paper=(0, 0, 255), most=400
    )
    assert np.ptp(rows) + 1 == len(name)
    assert rows.min() == top
    left = min(max(0, int(box[0]) - 1), 400 - name.shape[1])
    assert (picture[top:, left:][: name.shape[0], : name.shape[1]] == name).all()


def test_nothing_but_lines_and_the_name_changes() -> None:
    image = _image(300, 400)

    picture = draw_boxes(image, [[150, 100, 250, 200]], [0], ['c'], palette=RED)

    drawn = _changed(picture)
    drawn[100 - 30 : 201, 149:251] = False
    assert not drawn.any()


def test_a_score_is_written_behind_the_name() -> None:
    box, image = [[150, 100, 250, 200]], _image(300, 400)
    pictures = [
        draw_boxes(image, box, [0], ['c'], scores=scores, palette=RED)
        for scores in (None, [0.5], [0.6])
    ]

    widths = [_changed(x)[90].nonzero()[0].max() for x in pictures]
    assert widths[0] < widths[1] - 20
    different = (pictures[1] != pictures[2]).any(axis=2).nonzero()
    # The last digit alone.
    assert different[1].min() > widths[0] + 5


def test_a_long_name_is_cut_and_its_score_is_not() -> None:
    image = _image(300, 400)
    pictures = [
        draw_boxes(image, [[0, 100, 50, 200]], [0], [40 * 'cell '], scores=[score])
        for score in (0.5, 0.6)
    ]

    columns = (_changed(pictures[0])[90]).nonzero()[0]
    assert 150 < columns.max() < 200
    assert (pictures[0] != pictures[1]).any()


def test_the_name_of_the_best_box_is_on_top() -> None:
    boxes, image = [[10, 40, 90, 90]] * 2, _image(100, 100)
    options = {'palette': BLUE_RED_GREEN}

    both = draw_boxes(image, boxes, [0, 1], ['a', 'b'], scores=[0.3, 0.9], **options)

    best = draw_boxes(image, boxes[1:], [1], ['a', 'b'], scores=[0.9], **options)
    assert (both == best).all()


def test_names_leave_most_of_the_image_free() -> None:
    """Names of about 16 by 70 pixels: 57 of them cover 40 % of the image."""
    columns, rows = (x.ravel() for x in np.meshgrid(range(5), range(20)))
    starts = np.stack((columns * 80, rows * 20 + 19), axis=1)
    scores = np.linspace(0.9, 0.5, 100)

    picture = draw_boxes(
        _image(400, 400),
        np.hstack((starts, starts + 2)),
        [0] * 100,
        ['cell'],
        scores=scores,
        palette=RED,
    )

    cells = picture.reshape(20, 20, 5, 80, 3).transpose(0, 2, 1, 3, 4)
    named = (cells == 255).all(axis=-1).any(axis=(2, 3)).ravel()
    count = named.sum()
    assert 45 <= count <= 65
    # The best ones.
    assert named[:count].all()


def test_a_very_low_image_gets_lines_alone() -> None:
    box, image = [5, 2, 30, 7], _image(9, 500)

    picture = draw_boxes(image, [box], [0], ['a cell of blood'], palette=RED)

    assert (_changed(picture) == _lines(image, box)).all()


def test_bad_input_is_named() -> None:
    box = [[1, 1, 5, 5]]
    with pytest.raises(ValueError, match=r'got float32 and \(9, 9, 3\): convert it'):
        draw_boxes(np.zeros((9, 9, 3), np.float32), box, [0], ['a'])
    with pytest.raises(ValueError, match=r'got uint8 and \(9, 9\): convert it'):
        draw_boxes(np.zeros((9, 9), np.uint8), box, [0], ['a'])
    with pytest.raises(ValueError, match='got 1 and 2 of boxes, labels'):
        draw_boxes(_image(9, 9), box, [0, 0], ['a'])
    for label in (-1, 1):
        with pytest.raises(ValueError, match=f'label {label} is none of the 1 classes'):
            draw_boxes(_image(9, 9), box, [label], ['a'])
