import numpy as np
import pytest

from m2det_mmdet.visualization.boxes import draw_boxes
from m2det_mmdet.visualization.pairs import Highlight, draw_pair
from m2det_mmdet.visualization.palette import class_colors

GRAY, STRIP, GAP = 90, 24, 8
BOXES = [[40.0, 40.0, 140.0, 140.0], [200.0, 60.0, 300.0, 160.0]]


def _pair(size: tuple[int, int], **options: object) -> np.ndarray:
    """Draw two boxes at both sides, 808 pixels wide: halves of 400."""
    image = np.full((*size, 3), GRAY, np.uint8)
    options = {'boxes': BOXES, 'labels': [0, 1], 'highlight': None, **options}
    boxes, labels = options['boxes'], options['labels']
    return draw_pair(
        image,
        boxes,
        labels,
        boxes,
        [0.9, 0.8],
        labels,
        ['cat', 'dog'],
        width=808,
        highlight=options['highlight'],
    )


def _halves(pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return pair[STRIP:, :400], pair[STRIP:, 408:]


def test_ground_truth_is_left_and_predictions_with_scores_right() -> None:
    pair = _pair((200, 400))

    assert pair.shape == (STRIP + 200, 808, 3)
    image = np.full((200, 400, 3), GRAY, np.uint8)
    names = ['cat', 'dog']
    truth, found = _halves(pair)
    assert (truth == draw_boxes(image, BOXES, [0, 1], names)).all()
    scored = draw_boxes(image, BOXES, [0, 1], names, scores=[0.9, 0.8])
    assert (found == scored).all()
    assert (pair[:, 400:408] == 255).all()
    # Captions.
    assert (pair[:STRIP, :400] < 128).any()
    assert (pair[:STRIP, 408:] < 128).any()


def test_a_picture_has_the_width_that_is_asked_for() -> None:
    pair = _pair((100, 200))

    truth, _ = _halves(pair)
    # Twice as large; the left line of the first box is at 80.
    assert truth.shape == (200, 400, 3)
    assert (truth[150] != GRAY).any(axis=1).nonzero()[0][0] in (79, 80)


def test_a_high_image_stays_below_its_limit() -> None:
    pair = _pair((4000, 400))

    assert pair.shape == (STRIP + 600, 808, 3)
    # 60 pixels wide, and white beside it.
    assert (_halves(pair)[0][:, 60:] == 255).all()


def test_what_is_highlighted_is_strong_and_the_rest_faint() -> None:
    pair = _pair((200, 400), highlight=Highlight(truth=[0], found=[1]))

    colors = [np.array(color[::-1], int) for color in class_colors(2)]
    for half, strong, faint in zip(_halves(pair), (0, 1), (1, 0), strict=True):
        # The middles of the lower sides.
        places = [half[int(box[3]) - 1, int(box[0]) + 50] for box in BOXES]
        assert (places[strong] == colors[strong]).all()
        mixed = GRAY + 0.35 * (colors[faint] - GRAY)
        np.testing.assert_allclose(places[faint], mixed, atol=1)
        # Above the faint box there is no name.
        x1, y1 = (int(value) for value in BOXES[faint][:2])
        assert (half[y1 - 20 : y1 - 2, x1 : x1 + 40] == GRAY).all()
        x1, y1 = (int(value) for value in BOXES[strong][:2])
        assert (half[y1 - 20 : y1 - 2, x1 : x1 + 20] != GRAY).any()


def test_a_highlighted_prediction_has_its_score() -> None:
    truth, found = _halves(_pair((200, 400), highlight=Highlight([0], [0])))

    # Behind the name.
    changed = (truth != found).any(axis=(0, 2)).nonzero()[0]
    assert changed.min() > BOXES[0][0] + 20
    assert len(changed) > 20


def test_nothing_highlighted_leaves_all_faint() -> None:
    whole = _pair((200, 400), highlight=Highlight())

    assert whole.shape == (STRIP + 200, 808, 3)
    assert (abs(whole[STRIP:, :400].astype(int) - GRAY) <= 0.36 * 165).all()


def test_around_a_small_error_the_image_is_cropped() -> None:
    """A box of 100 pixels of 8000 would be 5 pixels wide; it gets a third of 400."""
    boxes = np.array([[4000, 2000, 4100, 2100], [100, 100, 300, 300]], float)
    pair = _pair((4000, 8000), boxes=boxes, highlight=Highlight(truth=[0]))

    truth, _ = _halves(pair)
    assert truth.shape == (200, 400, 3)
    columns = (truth[110] != GRAY).any(axis=1).nonzero()[0]
    # Of the image 600 x 300 pixels are shown, with the box in the middle.
    assert columns.min() == pytest.approx(200 - 400 / 12, abs=2)
    assert columns.max() == pytest.approx(200 + 400 / 12, abs=2)


def test_a_crop_at_the_border_stays_in_the_image() -> None:
    boxes = np.array([[7990, 3990, 8000, 4000], [0, 0, 9, 9]], float)

    corner, start = (
        _halves(_pair((4000, 8000), boxes=boxes, highlight=Highlight([index])))[0]
        for index in (0, 1)
    )

    # 100 x 50 pixels at the least, four times as large.
    assert (corner[-3:, -30:] != GRAY).any()
    assert (corner[:100, :300] == GRAY).all()
    assert (start[5:30, :3] != GRAY).any()


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_highlighted_box_may_be_no_box(value: float) -> None:
    boxes = [[value] * 4, BOXES[1]]

    pair = _pair((200, 400), boxes=boxes, highlight=Highlight([0], [0]))

    assert pair.shape == (STRIP + 200, 808, 3)
