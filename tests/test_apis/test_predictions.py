"""A prediction of three objects, and all that it gives."""

import builtins
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from m2det_mmdet.apis.predictions import FoundObject, Prediction
from m2det_mmdet.utils.errors import M2DetError

CLASSES = ('car', 'dog', 'traffic light')
# A white image of 40 x 30 pixels.
WHITE = np.full((30, 40, 3), 255, np.uint8)


@pytest.fixture
def found() -> Prediction:
    """Two dogs and a car; of an array."""
    return Prediction(
        path=None,
        image_id=7,
        boxes=np.array([[1, 2, 11, 22], [5, 5, 35, 25], [0, 0, 4, 3]], np.float32),
        scores=np.array([0.9, 0.5, 0.25], np.float32),
        labels=np.array([1, 0, 1]),
        classes=CLASSES,
        size=(40, 30),
        held=WHITE,
    )


@pytest.fixture
def stored(found: Prediction, tmp_path: Path) -> Prediction:
    """The same of a file."""
    cv2.imwrite(str(tmp_path / 'a.png'), WHITE)
    return replace(found, path=tmp_path / 'a.png', held=None)


def test_it_is_a_series_of_objects(found: Prediction) -> None:
    assert len(found) == 3
    assert found.names == ('dog', 'car', 'dog')
    assert [*found] == [
        FoundObject((1, 2, 11, 22), pytest.approx(0.9), 1, 'dog'),
        FoundObject((5, 5, 35, 25), 0.5, 0, 'car'),
        FoundObject((0, 0, 4, 3), 0.25, 1, 'dog'),
    ]
    assert found.counts() == {'dog': 2, 'car': 1}
    assert repr(found) == '<Prediction of an image (40x30): 2 dog, 1 car>'


def test_nothing_is_found_in_an_empty_one(found: Prediction) -> None:
    empty = found.filter(1.0)

    assert (len(empty), [*empty], empty.counts(), empty.to_coco()) == (0, [], {}, [])
    assert empty.boxes.shape == (0, 4)
    assert np.array_equal(empty.plot(), WHITE)
    assert repr(empty) == '<Prediction of an image (40x30): nothing>'


@pytest.mark.parametrize(
    ('score_thr', 'classes', 'scores'),
    [
        (0.0, None, [0.9, 0.5, 0.25]),
        (0.5, None, [0.9, 0.5]),
        (0.51, None, [0.9]),
        (0.0, ['dog'], [0.9, 0.25]),
        (0.5, 'dog', [0.9]),
        (0.0, ['car', 'traffic light'], [0.5]),
        (0.0, [], []),
        # Others keep all.
        ({'dog': 0.3}, None, [0.9, 0.5]),
        ({'dog': 0.95, 'car': 0.6}, None, []),
        ({'dog': 0.3}, ['dog'], [0.9]),
    ],
)
def test_it_is_filtered_by_scores_and_classes(
    found: Prediction,
    score_thr: float | dict[str, float],
    classes: list[str] | None,
    scores: list[float],
) -> None:
    kept = found.filter(score_thr, classes)

    np.testing.assert_allclose(kept.scores, scores)
    assert len(kept.boxes) == len(kept.labels) == len(scores)
    assert (kept.image_id, kept.classes, kept.size) == (7, CLASSES, (40, 30))
    assert len(found) == 3


@pytest.mark.parametrize(
    ('score_thr', 'classes', 'message'),
    [
        (0.0, ['dogs'], 'The detector has no class dogs: did you mean dog?'),
        ({'lorry': 0.5}, None, 'no class lorry: it has car, dog, traffic light'),
        (1.5, None, 'score_thr must be from 0 to 1, got 1.5'),
        ({'dog': -1}, None, 'score_thr of dog must be from 0 to 1, got -1'),
    ],
)
def test_a_filter_of_nothing_is_a_sentence(
    found: Prediction, score_thr: Any, classes: list[str] | None, message: str
) -> None:
    with pytest.raises(M2DetError, match=message):
        found.filter(score_thr, classes)


def test_its_records_are_those_of_coco(found: Prediction, stored: Prediction) -> None:
    first, second, _ = found.to_coco()

    assert first == {
        'image_id': 7,
        'category_id': 2,
        'category_name': 'dog',
        'bbox': [1, 2, 10, 20],
        'score': 0.9,
    }
    assert (second['category_id'], second['bbox']) == (1, [5, 5, 30, 20])
    assert stored.to_coco()[0] == {**first, 'file_name': 'a.png'}
    # They are records of Python alone.
    assert type(first['category_id']) is int
    assert np.array_equal(found.boxes[0], [1, 2, 11, 22])


def test_its_image_is_held_or_read_again(found: Prediction, stored: Prediction) -> None:
    assert found.image is WHITE
    assert np.array_equal(stored.image, WHITE)
    cv2.imwrite(str(stored.path), WHITE[:9])
    with pytest.raises(M2DetError, match=r'a\.png has another size than when objects'):
        stored.plot()
    stored.path.unlink()
    with pytest.raises(M2DetError, match=r'There is no image .*a\.png'):
        stored.save(stored.path.with_name('b.png'))
    assert not [*stored.path.parent.iterdir()]


def test_a_picture_shows_the_objects_from_a_score_on(found: Prediction) -> None:
    picture = found.plot(score_thr=0.6)

    assert picture.shape == WHITE.shape
    changed = (picture != 255).any(axis=2)
    assert changed[2:22, 1].any()
    # The box of the car.
    assert not changed[26:].any()
    assert not changed[:, 34:].any()
    assert (found.plot(score_thr=0.5) != 255).any(axis=2)[:, 33:36].any()
    assert (WHITE == 255).all()
    for wrong in (-1, float('nan'), '0.5'):
        with pytest.raises(M2DetError, match='score_thr must be from 0 to 1'):
            found.plot(score_thr=wrong)


def test_a_picture_is_written_whole_or_not_at_all(
    stored: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = stored.save(tmp_path / 'new' / 'out.png')

    assert np.array_equal(cv2.imread(str(out)), stored.plot())
    with pytest.raises(M2DetError, match=r'out\.txt cannot be a picture: give it the'):
        stored.save(tmp_path / 'out.txt')
    with pytest.raises(M2DetError, match=r'a\.png is the image itself: give another'):
        stored.save(stored.path)
    (tmp_path / 'file').touch()
    with pytest.raises(M2DetError, match='cannot be written'):
        stored.save(tmp_path / 'file' / 'out.png')
    assert np.array_equal(cv2.imread(str(stored.path)), WHITE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.png', 'file', 'new']


def test_it_can_be_pickled(stored: Prediction) -> None:
    copy = pickle.loads(pickle.dumps(stored))

    assert copy.to_coco() == stored.to_coco()
    assert np.array_equal(copy.image, WHITE)


def test_supervision_gets_boxes_and_names(
    found: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType('supervision')
    module.Detections = SimpleNamespace
    monkeypatch.setitem(sys.modules, 'supervision', module)

    made = found.to_supervision()

    assert np.array_equal(made.xyxy, found.boxes)
    assert np.array_equal(made.confidence, found.scores)
    assert np.array_equal(made.class_id, found.labels)
    assert made.data['class_name'].tolist() == ['dog', 'car', 'dog']


def test_supervision_itself_takes_it(found: Prediction) -> None:
    supervision = pytest.importorskip('supervision')

    made = found.to_supervision()

    assert isinstance(made, supervision.Detections)
    assert len(made) == 3
    assert made[made.class_id == 1]['class_name'].tolist() == ['dog', 'dog']
    assert len(found.filter(1.0).to_supervision()) == 0


def test_without_supervision_there_is_a_sentence(
    found: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any) -> ModuleType:
        if name == 'supervision':
            raise ImportError
        return real(name, *args)

    monkeypatch.setattr(builtins, '__import__', absent)
    with pytest.raises(M2DetError, match='not installed: pip install supervision'):
        found.to_supervision()
