from collections.abc import Callable

import numpy as np
import pytest

from m2det_mmdet.evaluation.matches import Matches, match

BOX = [0, 0, 10, 10]
# IoU with the box above: 80 / 100 and 60 / 100.
NEAR, LESS = [0, 0, 10, 8], [0, 0, 10, 6]


def _pairs(matches: Matches) -> dict[int, int | None]:
    """Ids of the objects by those of the detections."""
    ids = [*matches.objects.ids.tolist(), None]
    found = matches.detections
    return {id_: ids[place] for id_, place in zip(found.ids, found.object, strict=True)}


def test_the_highest_score_chooses_first_and_within_its_class(
    make_coco: Callable,
) -> None:
    far = [50, 50, 10, 10]
    truth, found = make_coco(
        [{'bbox': BOX}, {'bbox': far, 'category_id': 2}],
        [
            {'bbox': BOX, 'score': 0.5},
            {'bbox': LESS, 'score': 0.9},
            {'bbox': far, 'score': 0.7},
            {'bbox': far, 'score': 0.6, 'category_id': 2},
        ],
    )

    matches = match(truth, found)

    found = matches.detections
    assert found.ids.tolist() == [2, 3, 4, 1]
    np.testing.assert_allclose(found.score, [0.9, 0.7, 0.6, 0.5])
    assert found.label.tolist() == [0, 0, 1, 0]
    assert _pairs(matches) == {2: 1, 3: None, 4: 2, 1: None}
    assert found.wrong.tolist() == [False, True, False, True]
    assert matches.objects.detection.tolist() == [0, 2]
    assert not found.ignored.any()
    assert not matches.objects.unmatched.any()
    assert matches.classes == ('cat', 'dog')
    assert matches.category_ids == (1, 2)


def test_a_match_has_the_iou_or_more(make_coco: Callable) -> None:
    pair = make_coco([{'bbox': BOX}], [{'bbox': LESS, 'score': 0.5}])

    assert _pairs(match(*pair, iou_thr=0.6)) == {1: 1}
    assert _pairs(match(*pair, iou_thr=0.61)) == {1: None}


def test_images_are_in_the_order_of_their_ids(make_coco: Callable) -> None:
    items = [{'bbox': BOX, 'image_id': id_} for id_ in (3, 1, 3)]
    matches = match(
        *make_coco(items, [{**item, 'score': 0.5} for item in items], images=3)
    )

    assert matches.image_ids == (1, 2, 3)
    assert matches.objects.ids.tolist() == [2, 1, 3]
    assert matches.objects.image.tolist() == [0, 2, 2]
    # Equal scores are in the order of the detections.
    assert matches.detections.ids.tolist() == [2, 1, 3]
    assert matches.detections.image.tolist() == [0, 2, 2]


def test_crowds_take_any_number_and_count_for_nothing(make_coco: Callable) -> None:
    # A crowd takes what lies in it by half or more of itself.
    crowd = {'bbox': [0, 0, 100, 100], 'iscrowd': 1}
    truth, found = make_coco(
        [crowd, {'bbox': BOX}],
        [
            {'bbox': BOX, 'score': 0.9},
            {'bbox': NEAR, 'score': 0.8},
            {'bbox': [60, 60, 9, 9], 'score': 0.7},
            {'bbox': [95, 0, 20, 9], 'score': 0.6},
        ],
    )

    matches = match(truth, found)

    assert _pairs(matches) == {1: 2, 2: 1, 3: 1, 4: None}
    assert matches.detections.ignored.tolist() == [False, True, True, False]
    assert matches.detections.wrong.tolist() == [False, False, False, True]
    assert matches.objects.ignored.tolist() == [True, False]
    assert not matches.objects.unmatched.any()


def test_a_flag_ignore_alone_changes_nothing_as_in_pycocotools(
    make_coco: Callable,
) -> None:
    truth, found = make_coco([{'bbox': BOX, 'ignore': 1}], [])

    assert match(truth, found).objects.unmatched.tolist() == [True]


@pytest.mark.parametrize('id_', [0, 7])
def test_objects_of_any_id_are_found(make_coco: Callable, id_: int) -> None:
    matches = match(*make_coco([{'bbox': BOX, 'id': id_}], [{'bbox': BOX, 'score': 1}]))

    assert matches.detections.object.tolist() == [0]
    assert matches.objects.detection.tolist() == [0]


def test_a_hundred_of_a_class_count_in_an_image(make_coco: Callable) -> None:
    items = [{'bbox': BOX, 'score': 1 - i / 1000} for i in range(101)]
    items += [{'bbox': BOX, 'score': 0.001, 'category_id': 2}]
    truth, found = make_coco([{'bbox': BOX}], items)

    assert match(truth, found).detections.ids.tolist() == [*range(1, 101), 102]
    assert len(match(truth, found, by_class=False).detections) == 102


def test_without_classes_any_object_is_taken(make_coco: Callable) -> None:
    truth, found = make_coco(
        [{'bbox': BOX, 'category_id': 2}], [{'bbox': BOX, 'score': 0.5}]
    )

    assert _pairs(match(truth, found)) == {1: None}
    across = match(truth, found, by_class=False)
    assert _pairs(across) == {1: 1}
    assert (across.detections.label[0], across.objects.label[0]) == (0, 1)


def test_a_threshold_leaves_the_matches_above_it(random_coco: Callable) -> None:
    truth, found = random_coco(3)
    matches = match(truth, found)
    above = truth.loadRes([x for x in found.anns.values() if x['score'] >= 0.4])

    outcomes, alone = matches.at(0.4), match(truth, above)

    assert 0 < outcomes.right.sum() < matches.at(0).right.sum()
    assert outcomes.right.sum() == (alone.detections.object >= 0).sum() - (
        alone.detections.ignored.sum()
    )
    assert outcomes.wrong.sum() == alone.detections.wrong.sum()
    np.testing.assert_array_equal(outcomes.missed, alone.objects.unmatched)


@pytest.mark.filterwarnings('error')
def test_nothing_is_matched_with_nothing(make_coco: Callable) -> None:
    item = {'bbox': BOX, 'score': 0.5}

    nothing = match(*make_coco([], []))
    assert (len(nothing.detections), len(nothing.objects)) == (0, 0)
    assert match(*make_coco([{'bbox': BOX}], [])).objects.unmatched.tolist() == [True]
    assert match(*make_coco([], [item])).detections.wrong.tolist() == [True]
