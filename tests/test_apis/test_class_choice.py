import numpy as np
import pytest

from m2det_mmdet.apis.class_choice import ClassChoice
from m2det_mmdet.utils.errors import M2DetError

CLASSES = ('car', 'traffic light', 'person')


def test_each_class_counts_from_its_own_score_on() -> None:
    choice = ClassChoice(CLASSES, 0.3, {'car': 0.5, 'traffic light': 0.2})
    labels = np.array([0, 0, 1, 1, 2, 2])
    scores = np.array([0.5, 0.49, 0.2, 0.19, 0.299996, 0.29], np.float32)

    # 0.299996 is written as 0.3.
    assert choice.counted(labels, scores).tolist() == [
        *(True, False, True, False, True, False)
    ]
    assert choice.lowest() == {'car': 0.5, 'traffic light': 0.2, 'person': 0.3}


def test_classes_that_are_not_chosen_do_not_count() -> None:
    choice = ClassChoice(CLASSES, 0.0, chosen=['person', 'car'])

    assert choice.chosen(np.array([0, 1, 2])).tolist() == [True, False, True]
    assert choice.counted(np.array([1, 2]), np.ones(2)).tolist() == [False, True]


def test_an_unknown_class_comes_with_similar_ones() -> None:
    with pytest.raises(M2DetError, match='no class cars: did you mean car?'):
        ClassChoice(CLASSES, 0.3, {'cars': 0.5})
    with pytest.raises(M2DetError, match='no class zzz: it has car, traffic light, p'):
        ClassChoice(CLASSES, 0.3, chosen=['zzz'])
    with pytest.raises(M2DetError, match='score_thr of car must be from 0 to 1'):
        ClassChoice(CLASSES, 0.3, {'car': 1.5})
    with pytest.raises(M2DetError, match='classes must hold texts, got 5'):
        ClassChoice(CLASSES, 0.3, chosen=[5])


@pytest.mark.parametrize('score', [None, '0.5', float('nan'), [0.5]])
def test_what_is_no_score_is_a_sentence(score: object) -> None:
    with pytest.raises(M2DetError, match='^score_thr must be from 0 to 1, got '):
        ClassChoice(CLASSES, score)
    with pytest.raises(M2DetError, match='^score_thr of car must be from 0 to 1, '):
        ClassChoice(CLASSES, 0.3, {'car': score})


@pytest.mark.parametrize('score', [0.03214, 0.1, 0.7, 0.99999])
def test_a_score_counts_from_the_figure_on_that_is_written(score: float) -> None:
    choice = ClassChoice(CLASSES, score)

    assert choice.counted(np.array([0]), np.array([score], np.float32)).all()
