from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from m2det_mmdet.evaluation import error_costs as error_costs_module
from m2det_mmdet.evaluation import figures
from m2det_mmdet.evaluation.error_costs import ErrorCost, error_costs
from m2det_mmdet.evaluation.errors import find_errors
from m2det_mmdet.evaluation.matches import match

BOX, FAR, ELSEWHERE = [0, 0, 10, 10], [50, 50, 10, 10], [200, 200, 10, 10]
# The IoU with the first box is 0.4.
NEAR = [0, 0, 10, 4]


def _costs(pair: tuple[COCO, COCO]) -> dict[str, ErrorCost]:
    matches = match(*pair)
    return error_costs(*pair, matches, find_errors(*pair, matches))


def _some(pair: tuple[COCO, COCO]) -> dict[str, tuple]:
    """Costs of the six kinds that occur."""
    return {
        kind: cost
        for kind, cost in _costs(pair).items()
        if cost.count and not kind.startswith('false')
    }


def _found(box: list[float], score: float, category_id: int = 1) -> dict[str, Any]:
    return {'bbox': box, 'score': score, 'category_id': category_id}


@pytest.mark.parametrize('kind', ['class', 'location', 'missed'])
def test_one_object_and_one_error_cost_all(kind: str, make_coco: Callable) -> None:
    detections = {
        'class': [_found(BOX, 0.9, 2)],
        'location': [_found(NEAR, 0.9)],
        'missed': [],
    }

    costs = _costs(make_coco([{'bbox': BOX}], detections[kind]))

    assert costs.pop(kind) == (1, pytest.approx(1))
    # A wrong cat is left without an object that it could be.
    left = 0 if kind == 'location' else pytest.approx(1)
    assert costs.pop('false_negatives') == (1, left)
    # Wrong detections that are left out find no object.
    assert costs.pop('false_positives') == (len(detections[kind]), 0)
    assert set(costs.values()) == {(0, 0)}


def test_a_detection_before_the_right_one_halves_precision(make_coco: Callable) -> None:
    right = _found(BOX, 0.8)
    for kind, wrong in (
        ('background', _found(ELSEWHERE, 0.9)),
        # It points at an object that is found, and is left out.
        ('location', _found(NEAR, 0.9)),
    ):
        costs = _costs(make_coco([{'bbox': BOX}], [wrong, right]))
        assert costs[kind] == (1, pytest.approx(0.5))
        assert costs['false_positives'] == (1, pytest.approx(0.5))
        assert costs['false_negatives'] == (0, 0)
    # A cat of the wrong class, near a dog: the AP of cats is 1, that of dogs 0.5.
    dog = {'bbox': FAR, 'category_id': 2}
    both = _found([50, 50, 10, 4], 0.9)
    pair = make_coco([{'bbox': BOX}, dog], [both, right, _found(FAR, 0.9, 2)])
    assert _some(pair) == {'both': (1, pytest.approx(0.25))}


def test_a_duplicate_costs_what_comes_after_it(make_coco: Callable) -> None:
    # Right, double, right: precision is 2/3 at the upper 50 of the 101 recalls.
    detections = [_found(BOX, 0.9), _found(BOX, 0.8), _found(FAR, 0.7)]

    pair = make_coco([{'bbox': BOX}, {'bbox': FAR}], detections)

    assert _some(pair) == {'duplicate': (1, pytest.approx(50 / 3 / 101))}


def test_a_missed_object_costs_the_recalls_that_nothing_reaches(
    make_coco: Callable,
) -> None:
    pair = make_coco([{'bbox': BOX}, {'bbox': FAR}], [_found(BOX, 0.9)])

    assert _some(pair) == {'missed': (1, pytest.approx(50 / 101))}
    assert _costs(pair)['false_negatives'] == (1, pytest.approx(50 / 101))


def test_the_best_detection_gets_the_object_and_the_others_go(
    make_coco: Callable,
) -> None:
    cat = [{'bbox': BOX}]
    two = [_found(NEAR, 0.8), _found([0, 0, 10, 3], 0.9)]
    assert _some(make_coco(cat, two)) == {'location': (2, pytest.approx(1))}
    # Of both kinds together it is the best: that of the location alone gets nothing.
    two = [_found(NEAR, 0.8), _found(BOX, 0.9, 2)]
    assert _some(make_coco(cat, two)) == {
        'class': (1, pytest.approx(1)),
        'location': (1, 0),
    }


def test_an_object_that_is_found_is_given_to_nobody_else(make_coco: Callable) -> None:
    # Right, wrong, right: as with a duplicate, the wrong one has to go.
    detections = [_found(BOX, 0.9), _found(NEAR, 0.8), _found(FAR, 0.7)]

    pair = make_coco([{'bbox': BOX}, {'bbox': FAR}], detections)

    assert _some(pair) == {'location': (1, pytest.approx(50 / 3 / 101))}


def test_a_mended_class_leaves_its_old_one(make_coco: Callable) -> None:
    # A dog's detection on a cat, before the dog's own.
    objects = [{'bbox': BOX}, {'bbox': FAR, 'category_id': 2}]
    detections = [_found(BOX, 0.9, 2), _found(FAR, 0.8, 2)]

    # AP of cats from 0 to 1, of dogs from 0.5 to 1.
    costs = _costs(make_coco(objects, detections))
    assert costs['class'] == (1, pytest.approx(0.75))
    assert costs['false_positives'] == (1, pytest.approx(0.25))
    # Without the cat there is no class of cats: dogs have 0.5, and the mean was 0.25.
    assert costs['false_negatives'] == (1, pytest.approx(0.25))


def test_a_mixture_has_each_cost_alone(make_coco: Callable) -> None:
    # Background, right, double, right, and one of three objects missed. From the first:
    # precision 0, 1/2, 1/3, 1/2, at recalls up to 2/3: 67 of 101.
    third = [90, 90, 10, 10]
    objects = [{'bbox': BOX}, {'bbox': FAR}, {'bbox': third}]
    boxes = [ELSEWHERE, BOX, BOX, FAR]
    detections = [_found(box, 0.9 - i / 10) for i, box in enumerate(boxes)]
    before = 67 / 2

    costs = _some(make_coco(objects, detections))

    assert costs == {
        # Right, double, right: 34 recalls of precision 1, then 33 of 2/3.
        'background': (1, pytest.approx((34 + 33 * 2 / 3 - before) / 101)),
        # Background, right, right: 67 of 2/3.
        'duplicate': (1, pytest.approx((67 * 2 / 3 - before) / 101)),
        # All 101 recalls of precision 1/2.
        'missed': (1, pytest.approx((101 / 2 - before) / 101)),
    }


def test_crowds_cost_nothing_and_hide_nothing(make_coco: Callable) -> None:
    crowd = {'bbox': [0, 0, 100, 100], 'iscrowd': 1}
    on_it = [_found([30, 30, 9, 9], 0.9), _found([70, 70, 9, 9], 0.9)]
    objects = [crowd, {'bbox': ELSEWHERE}]

    assert _some(make_coco(objects, [*on_it, _found(ELSEWHERE, 0.8)])) == {}
    # They do not speak for the class either, after its one object is left out.
    pair = make_coco(objects, on_it)
    assert _some(pair) == {'missed': (1, pytest.approx(1))}


def test_a_class_without_objects_left_counts_by_its_detections(
    make_coco: Callable,
) -> None:
    dog = {'bbox': FAR, 'category_id': 2}
    right = _found(FAR, 0.9, 2)
    # Cats have 0 and dogs 1: without the cat, dogs are all there is.
    assert _some(make_coco([{'bbox': BOX}, dog], [right])) == {
        'missed': (1, pytest.approx(0.5))
    }
    # A wrong cat is left, and no cat to find.
    costs = _costs(make_coco([{'bbox': BOX}, dog], [right, _found(ELSEWHERE, 0.9)]))
    assert costs['missed'] == (1, 0)


def test_what_counts_stays_where_detections_go(make_coco: Callable) -> None:
    # COCO counts a hundred of a class: the right one is the 101st, and stays out.
    wrong = [_found(ELSEWHERE, 0.9)] * 100
    pair = make_coco([{'bbox': BOX}], [*wrong, _found(BOX, 0.1)])

    costs = _costs(pair)

    assert costs['background'] == (100, 0)
    assert costs['missed'].count == 1
    # A dog that should have been a cat makes 101 cats, which all count.
    pair = make_coco([{'bbox': BOX}], [*wrong, _found(BOX, 0.1, 2)])
    assert _costs(pair)['class'] == (1, pytest.approx(1 / 101))


def test_the_iou_is_that_of_the_matches(make_coco: Callable) -> None:
    pair = make_coco([{'bbox': BOX}], [_found([0, 0, 10, 7], 0.9)])
    matches = match(*pair, iou_thr=0.75)

    costs = error_costs(*pair, matches, find_errors(*pair, matches))

    assert costs['location'] == (1, pytest.approx(1))


@pytest.mark.filterwarnings('error')
def test_without_objects_no_cost_is_known(make_coco: Callable) -> None:
    for detections in ([], [_found(BOX, 0.9)]):
        costs = _costs(make_coco([], detections))
        assert np.isnan([cost.delta_ap50 for cost in costs.values()]).all()
        assert costs['background'].count == len(detections)


@pytest.mark.parametrize('installed', [True, False])
def test_copies_leave_the_callers_objects(
    installed: bool, random_coco: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr('m2det_mmdet.compat.coco_eval.find_spec', lambda name: None)
    truth, found = random_coco(2)
    matches = match(truth, found)
    errors = find_errors(truth, found, matches)
    before = [(x['category_id'], [*x['bbox']], x['area']) for x in _records(found)]
    objects = len(truth.anns)

    error_costs(truth, found, matches, errors)

    after = [(x['category_id'], x['bbox'], x['area']) for x in _records(found)]
    assert after == before
    assert len(truth.anns) == objects


def _records(found: COCO) -> list[dict[str, Any]]:
    return [*found.anns.values()]


@pytest.mark.parametrize('seed', range(5))
def test_counts_and_costs_are_those_of_tide(
    seed: int, random_coco: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('tidecv', reason='tidecv is not installed')
    # TIDE's recalls are whole hundredths, and COCO's are off by the last digit here and
    # there. A class without objects has an AP of 0 in TIDE, and detections on crowds
    # are errors: neither is in these data.
    monkeypatch.setattr(figures, 'evaluation_of', _with_whole_hundredths)
    pair = random_coco(seed, crowds=0, absent=False, images=20)

    costs = _costs(pair)

    theirs = _tide(*pair)
    assert {kind: costs[kind].count for kind in theirs.counts} == theirs.counts
    ours = {kind: cost.delta_ap50 for kind, cost in costs.items()}
    assert ours == pytest.approx(theirs.costs, abs=1e-9)
    assert min(theirs.costs.values()) > 0


def _with_whole_hundredths(*args: Any) -> Any:
    evaluation = evaluation_of(*args)
    evaluation.params.recThrs = np.arange(101) / 100
    return evaluation


evaluation_of = figures.evaluation_of
NAMES = {
    'Cls': 'class',
    'Loc': 'location',
    'Both': 'both',
    'Dupe': 'duplicate',
    'Bkg': 'background',
    'Miss': 'missed',
    'FalsePos': 'false_positives',
    'FalseNeg': 'false_negatives',
}


def _tide(truth: COCO, found: COCO) -> SimpleNamespace:
    """Let TIDE's own code count errors and their costs."""
    from tidecv import TIDE, Data

    objects, detections = Data('objects'), Data('detections')
    for item in truth.anns.values():
        objects.add_ground_truth(item['image_id'], item['category_id'], item['bbox'])
    for item in found.anns.values():
        detections.add_detection(
            item['image_id'], item['category_id'], item['score'], item['bbox']
        )
    for image_id in truth.imgs:
        objects.add_image(image_id, str(image_id))
    run = TIDE().evaluate(objects, detections, mode=TIDE.BOX)
    costs = {**run.fix_main_errors(), **run.fix_special_errors()}
    return SimpleNamespace(
        counts={NAMES[kind.short_name]: n for kind, n in run.count_errors().items()},
        costs={NAMES[kind.short_name]: cost / 100 for kind, cost in costs.items()},
    )


def test_evaluations_take_no_more_memory_than_an_image_needs(
    make_coco: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = [{'bbox': BOX, 'image_id': image} for image in (1, 2, 3)]
    found = [
        {**_found(box, 0.5), 'image_id': image}
        for image in (1, 2, 3)
        for box in (NEAR, ELSEWHERE)
    ]
    most = []
    known = error_costs_module.class_aps

    def class_aps(*args: object, max_dets: int, **kwargs: object) -> np.ndarray:
        most.append(max_dets)
        return known(*args, max_dets=max_dets, **kwargs)

    monkeypatch.setattr(error_costs_module, 'class_aps', class_aps)

    _costs(make_coco(objects, found, images=3))

    # faster-coco-eval takes memory for so many detections in each image.
    assert set(most) == {2}
