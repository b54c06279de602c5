import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from m2det_mmdet.visualization import draw_comparison

GRAY = 90
CELL, STRIP = 480, 32


@pytest.fixture
def truth(tmp_path: Path) -> COCO:
    images, annotations = [], []
    for id_ in (1, 2, 3):
        name = f'{id_}.png'
        cv2.imwrite(str(tmp_path / name), np.full((60, 120, 3), GRAY, np.uint8))
        images.append({'id': id_, 'file_name': name, 'width': 120, 'height': 60})
        annotations.append(
            {
                'id': id_,
                'image_id': id_,
                'category_id': 7,
                'bbox': [30, 15, 60, 30],
                'area': 1800,
                'iscrowd': 0,
            }
        )
    path = tmp_path / 'ann.json'
    path.write_text(
        json.dumps(
            {
                'images': images,
                'annotations': annotations,
                'categories': [{'id': 7, 'name': 'cat'}],
            }
        )
    )
    return COCO(str(path))


def _drawn(half: np.ndarray) -> bool:
    """Whether anything was drawn over the gray image, which is 480x240 here."""
    return bool((np.abs(half[:240].astype(int) - GRAY) > 20).any())


def test_truth_is_left_and_predictions_right(truth: COCO, tmp_path: Path) -> None:
    box = {'category_id': 7, 'bbox': [30, 15, 60, 30]}
    results = truth.loadRes(
        [{**box, 'image_id': 1, 'score': 0.9}, {**box, 'image_id': 2, 'score': 0.1}]
    )

    picture = draw_comparison(truth, results, tmp_path, num_images=2, num_columns=1)

    # One column of two pairs: images 1 and 3, the first and the last.
    assert picture.shape[0] == 2 * (STRIP + CELL)
    first, last = picture[STRIP : STRIP + CELL], picture[2 * STRIP + CELL :]
    middle = picture.shape[1] // 2
    assert _drawn(first[:, :CELL])
    assert _drawn(first[:, middle : middle + CELL])
    assert _drawn(last[:, :CELL])
    assert not _drawn(last[:, middle : middle + CELL])


def test_scores_below_the_threshold_are_not_drawn(truth: COCO, tmp_path: Path) -> None:
    box = {'image_id': 1, 'category_id': 7, 'bbox': [30, 15, 60, 30], 'score': 0.4}
    results = truth.loadRes([box])

    pictures = [
        draw_comparison(truth, results, tmp_path, num_images=1, score_thr=threshold)
        for threshold in (0.3, 0.5)
    ]

    middle = pictures[0].shape[1] // 4
    halves = [picture[STRIP:, middle : middle + CELL] for picture in pictures]
    assert [_drawn(half) for half in halves] == [True, False]


def test_crowds_are_not_drawn(truth: COCO, tmp_path: Path) -> None:
    truth.imgToAnns[1][0]['iscrowd'] = 1

    picture = draw_comparison(truth, COCO(), tmp_path, num_images=1)

    assert not _drawn(picture[STRIP:, :CELL])


def test_names_of_any_language_are_captions(truth: COCO, tmp_path: Path) -> None:
    captions = []
    for name in ('Ё.png', 'Ю.png'):
        cv2.imwrite(str(tmp_path / name), np.full((60, 120, 3), GRAY, np.uint8))
        truth.imgs[1]['file_name'] = name
        picture = draw_comparison(truth, COCO(), tmp_path, num_images=1)
        captions.append(picture[:STRIP, :CELL])

    # OpenCV draws question marks in the place of both.
    assert (captions[0] != captions[1]).any()


def test_an_image_that_cannot_be_read_stops(truth: COCO, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'elsewhere/1\.png does not exist: restore'):
        draw_comparison(truth, COCO(), tmp_path / 'elsewhere')
    (tmp_path / '1.png').write_text('no image')
    with pytest.raises(ValueError, match=r'1\.png is no image that can be read: rest'):
        draw_comparison(truth, COCO(), tmp_path)


def test_of_few_images_each_is_drawn_once(truth: COCO, tmp_path: Path) -> None:
    picture = draw_comparison(truth, COCO(), tmp_path, num_images=99, num_columns=1)

    assert picture.shape[0] == 3 * (STRIP + CELL)


def test_without_an_object_all_images_are_drawn(truth: COCO, tmp_path: Path) -> None:
    truth.imgToAnns.clear()

    picture = draw_comparison(truth, COCO(), tmp_path, num_columns=1)

    assert picture.shape[0] == 3 * (STRIP + CELL)
    assert not _drawn(picture[STRIP : STRIP + CELL, :CELL])
    truth.imgs.clear()
    with pytest.raises(ValueError, match='it lists no image'):
        draw_comparison(truth, COCO(), tmp_path)


def test_a_category_that_the_annotations_lack_stops(
    truth: COCO, tmp_path: Path
) -> None:
    truth.imgToAnns[3][0]['category_id'] = 8

    with pytest.raises(
        ValueError, match='objects have the category 8, which is none of'
    ):
        draw_comparison(truth, COCO(), tmp_path)


@pytest.mark.parametrize('shape', [(1, 2000, 3), (2000, 1, 3)])
def test_a_narrow_image_is_drawn(shape: tuple, truth: COCO, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / '1.png'), np.full(shape, GRAY, np.uint8))

    picture = draw_comparison(truth, COCO(), tmp_path, num_images=1)

    half = picture[STRIP:, :CELL]
    assert (half != 255).any()


def test_a_box_across_the_border_ends_there(truth: COCO, tmp_path: Path) -> None:
    box = {'image_id': 1, 'category_id': 7, 'bbox': [30, 15, 1e300, 30], 'score': 1}

    picture = draw_comparison(truth, truth.loadRes([box]), tmp_path, num_images=1)

    middle = picture.shape[1] // 4
    half = picture[STRIP : STRIP + 240, middle : middle + CELL].astype(int)
    columns = (abs(half - GRAY).max(axis=2) > 20).any(axis=0).nonzero()[0]
    assert columns.min() == pytest.approx(4 * 30, abs=4)
    assert columns.max() == pytest.approx(CELL, abs=4)
