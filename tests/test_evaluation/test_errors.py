from collections.abc import Callable
from typing import Any

import pytest
from pycocotools.coco import COCO

from m2det_mmdet.evaluation.errors import ERROR_KINDS, DetectorError, find_errors
from m2det_mmdet.evaluation.matches import match

BOX, FAR, ELSEWHERE = [0, 0, 10, 10], [50, 50, 10, 10], [200, 200, 10, 10]
# IoUs with the first box: 0.4 and 0.05.
NEAR, HARDLY = [0, 0, 10, 4], [0, 0, 10, 0.5]


def _find(pair: tuple[COCO, COCO]) -> list[DetectorError]:
    return find_errors(*pair, match(*pair))


def _kinds(pair: tuple[COCO, COCO]) -> list[tuple[str, int | None, int | None]]:
    """Kind, detection and object of each error."""
    return [(x.kind, x.detection, x.object) for x in _find(pair)]


def _found(box: list[float], score: float, category_id: int = 1) -> dict[str, Any]:
    return {'bbox': box, 'score': score, 'category_id': category_id}


def test_each_kind_has_its_case(make_coco: Callable) -> None:
    cat = [{'bbox': BOX}]
    for detection, kind, iou in (
        (_found(BOX, 0.9, 2), 'class', 1),
        (_found(NEAR, 0.9), 'location', 0.4),
    ):
        assert _find(make_coco(cat, [detection])) == [
            (kind, 1, 1, 1, pytest.approx(iou), 0.9, detection['bbox'][3] * 10)
        ]
    for detection, kind, id_, iou in (
        (_found(NEAR, 0.9, 2), 'both', 1, 0.4),
        (_found(HARDLY, 0.9), 'background', None, 0.05),
        (_found(HARDLY, 0.9, 2), 'background', None, 0.05),
        (_found(ELSEWHERE, 0.9), 'background', None, 0),
    ):
        area = detection['bbox'][3] * 10
        assert _find(make_coco(cat, [detection])) == [
            (kind, 1, 1, id_, pytest.approx(iou), 0.9, area),
            ('missed', 1, None, 1, pytest.approx(iou), None, 100),
        ]
    assert _find(make_coco(cat, [_found(BOX, 0.9), _found(BOX, 0.8)])) == [
        ('duplicate', 1, 2, 1, 1, 0.8, 100)
    ]
    assert _find(make_coco(cat, [])) == [('missed', 1, None, 1, 0, None, 100)]
    assert _find(make_coco(cat, [_found(BOX, 0.9)])) == []


def test_the_first_kind_that_holds_is_taken(make_coco: Callable) -> None:
    # The dog lies on the cat's left half: the boxes have an IoU of 0.5.
    half = [0, 0, 5, 10]
    objects = [{'bbox': BOX}, {'bbox': half, 'category_id': 2}]
    # A cat's detection on the dog: near the cat, which is its class.
    pair = make_coco(objects, [_found(BOX, 0.9), _found([0, 0, 4, 10], 0.8)])
    assert _kinds(pair) == [('location', 2, 1), ('missed', None, 2)]
    # Another one, above the IoU 0.5 with both: the class before the duplicate.
    pair = make_coco(objects, [_found(BOX, 0.9), _found([0, 0, 6, 10], 0.8)])
    assert _kinds(pair) == [('class', 2, 2)]


@pytest.mark.parametrize(
    ('height', 'kind'), [(0.99, 'background'), (1, 'location'), (4.99, 'location')]
)
def test_location_begins_at_an_iou_of_a_tenth(
    make_coco: Callable, height: float, kind: str
) -> None:
    errors = _find(make_coco([{'bbox': BOX}], [_found([0, 0, 10, height], 0.9)]))

    assert errors[0].kind == kind


def test_an_object_with_an_error_on_it_is_not_missed_but_by_both(
    make_coco: Callable,
) -> None:
    objects = [{'bbox': BOX}, {'bbox': FAR}]
    detections = [_found(BOX, 0.9, 2), _found(NEAR, 0.8), _found([50, 50, 10, 4], 1, 2)]

    assert _kinds(make_coco(objects, detections)) == [
        ('both', 3, 2),
        ('class', 1, 1),
        ('location', 2, 1),
        ('missed', None, 2),
    ]


def test_errors_can_point_at_an_object_that_is_found(make_coco: Callable) -> None:
    detections = [_found(BOX, 0.7), _found(BOX, 0.9, 2), _found(NEAR, 0.8)]

    assert _kinds(make_coco([{'bbox': BOX}], detections)) == [
        ('class', 2, 1),
        ('location', 3, 1),
    ]


def test_crowds_and_what_lies_on_them_are_no_errors(make_coco: Callable) -> None:
    crowd = {'bbox': [0, 0, 100, 100], 'iscrowd': 1}

    assert _kinds(make_coco([crowd], [_found(BOX, 0.9)])) == []
    # It is a crowd of cats.
    on_it = [_found(BOX, 0.9, 2)]
    assert _kinds(make_coco([crowd], on_it)) == [('background', 1, None)]
    assert _kinds(make_coco([crowd, {'bbox': FAR}], on_it)) == [
        ('background', 1, None),
        ('missed', None, 2),
    ]
    # Nor is it a crowd's class that a detection of its very box should have.
    small = {'bbox': BOX, 'iscrowd': 1}
    assert _kinds(make_coco([small, {'bbox': FAR}], on_it))[0][0] == 'background'


def test_images_are_judged_alone(make_coco: Callable) -> None:
    pair = make_coco(
        [{'bbox': BOX, 'image_id': 3}, {'bbox': BOX, 'image_id': 1}],
        [{**_found(BOX, 0.9, 2), 'image_id': 3}, {**_found(BOX, 1), 'image_id': 2}],
        images=3,
    )

    assert [(x.kind, x.image_id, x.object) for x in _find(pair)] == [
        ('missed', 1, 2),
        ('background', 2, None),
        ('class', 3, 1),
    ]


@pytest.mark.parametrize('seed', range(3))
def test_every_wrong_detection_is_one_error(seed: int, random_coco: Callable) -> None:
    truth, found = random_coco(seed)
    matches = match(truth, found)
    errors = find_errors(truth, found, matches)

    wrong = matches.detections.ids[matches.detections.wrong].tolist()
    assert [x.detection for x in errors if x.detection is not None] == wrong
    unmatched = set(matches.objects.ids[matches.objects.unmatched].tolist())
    missed = {x.object for x in errors if x.kind == 'missed'}
    pointed = {x.object for x in errors if x.kind in ('class', 'location')}
    assert missed == unmatched - pointed
    assert {x.kind for x in errors} == set(ERROR_KINDS)


@pytest.mark.filterwarnings('error')
def test_without_objects_all_detections_are_on_the_background(
    make_coco: Callable,
) -> None:
    assert _kinds(make_coco([], [])) == []
    assert _find(make_coco([], [_found(BOX, 0.5)])) == [
        ('background', 1, 1, None, 0, 0.5, 100)
    ]
