"""What each fault of an annotation file becomes, by value."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from m2det_mmdet.datasets.coco_form import check_annotations, mend_annotations
from m2det_mmdet.datasets.error import DatasetError
from m2det_mmdet.datasets.faults import Faults, Level, Strict

Content = dict[str, Any]
Change = Callable[[Content], Any]
MISSING = object()


def _content() -> Content:
    """Two images with an object each."""
    return {
        'images': [
            {'id': 1, 'file_name': 'a.jpg', 'width': 64, 'height': 48},
            {'id': 2, 'file_name': 'b.jpg', 'width': 64, 'height': 48},
        ],
        'annotations': [
            {
                'id': id_,
                'image_id': id_,
                'category_id': id_,
                'bbox': [4, 6, 20, 10],
                'area': 200,
                'iscrowd': 0,
            }
            for id_ in (1, 2)
        ],
        'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}],
    }


def _mend(change: Change) -> tuple[Content, dict[str, int]]:
    """Return changed content as it is mended, and the number of faults of each kind."""
    content = _content()
    change(content)
    before = deepcopy(content)
    faults = Faults()

    mended, changed = mend_annotations(content, 'ann.json', faults)

    assert repr(content) == repr(before)
    check_annotations(mended)
    assert changed == bool(faults.findings)
    for finding in faults.findings.values():
        assert all(
            x.startswith('The annotation file ann.json ') for x in finding.examples
        )
    return mended, {name: x.count for name, x in faults.findings.items()}


def _set(place: str, index: int, **values: Any) -> Change:
    def change(content: Content) -> None:
        entry = content[place][index]
        entry.update(values)
        for key in [key for key, value in values.items() if value is MISSING]:
            del entry[key]

    return change


def _deep(levels: int) -> list:
    return [_deep(levels - 1)] if levels else []


def test_objects_are_named_by_their_place_where_they_get_another_id() -> None:
    content = _content()
    content['annotations'][1].update(id=0, area=0)
    del content['annotations'][1]['iscrowd']
    faults = Faults()

    mended, _ = mend_annotations(content, 'ann.json', faults)

    assert mended['annotations'][1]['id'] == 2
    start = 'The annotation file ann.json'
    assert {name: x.examples for name, x in faults.findings.items()} == {
        'annotation-id-zero': [f'{start} gives annotations[1] the id 0.'],
        'area-missing': [f'{start} has no area above 0 in annotations[1].'],
        'iscrowd-missing': [f'{start} has no iscrowd in annotations[1].'],
    }


def test_sound_content_is_returned_as_it_is() -> None:
    content = _content()
    faults = Faults()

    mended, changed = mend_annotations(content, 'ann.json', faults)

    assert mended is content
    assert not changed
    assert not faults.findings


@pytest.mark.parametrize(
    ('place', 'given', 'expected', 'kind'),
    [
        ('images.0.id', '1', 1, 'value-converted'),
        ('images.0.width', '640', 640, 'value-converted'),
        (
            'annotations.0.bbox',
            ['4', '6.5', 20, '1e1'],
            [4, 6.5, 20, 10],
            'value-converted',
        ),
        ('annotations.0.category_id', '2', 2, 'value-converted'),
        ('annotations.0.iscrowd', '1', 1, 'value-converted'),
        ('annotations.0.area', '70', 70, 'value-converted'),
        ('annotations.0.id', 1.0, 1, 'value-converted'),
        ('categories.0.name', 7, '7', 'value-converted'),
        *(
            ('annotations.0.area', area, 200, 'area-missing')
            for area in (MISSING, 0, -1, None, float('nan'), 'large')
        ),
        ('annotations.0.iscrowd', MISSING, 0, 'iscrowd-missing'),
        ('annotations.0.iscrowd', 'maybe', 0, 'flag-unreadable'),
        ('annotations.0.ignore', None, 0, 'value-dropped'),
        # The smallest number that no other object has.
        ('annotations.1.id', 0, 2, 'annotation-id-zero'),
        ('annotations.1.id', 1, 2, 'annotation-id-twice'),
        ('annotations.0.id', MISSING, 1, 'annotation-id-missing'),
        ('annotations.0.id', 'x-1', 1, 'annotation-id-missing'),
    ],
)
def test_a_value_becomes_what_it_stands_for(
    place: str, given: Any, expected: Any, kind: str
) -> None:
    name, index, key = place.split('.')

    mended, counts = _mend(_set(name, int(index), **{key: given}))

    value = mended[name][int(index)][key]
    assert value == expected
    assert type(value) is type(expected)
    assert counts == {kind: 1}
    assert [len(entries) for entries in mended.values()] == [2, 2, 2]


@pytest.mark.parametrize('bbox', [MISSING, [], [1, 2, 3, 4, 30]])
def test_a_missing_box_is_that_around_the_polygon(bbox: Any) -> None:
    # It reaches from 3 to 9 and from 5 to 20.
    polygon = [3, 5, 9, 5, 8, 20]

    mended, counts = _mend(_set('annotations', 0, bbox=bbox, segmentation=[polygon]))

    assert mended['annotations'][0]['bbox'] == [3, 5, 6, 15]
    assert counts == {'box-from-polygon': 1}


@pytest.mark.parametrize(
    ('change', 'sizes', 'counts'),
    [
        (lambda x: x['annotations'].append(7), (2, 2, 2), {'entry-unreadable': 1}),
        (_set('annotations', 0, bbox=[1, 2]), (2, 1, 2), {'entry-unreadable': 1}),
        (_set('annotations', 0, category_id=1.5), (2, 1, 2), {'entry-unreadable': 1}),
        (_set('annotations', 0, bbox=MISSING), (2, 1, 2), {'entry-unreadable': 1}),
        (_set('annotations', 0, bbox=[9, 9, 4, 4, 30]), (2, 1, 2), {'rotated-box': 1}),
        (_set('annotations', 0, image_id=9), (2, 1, 2), {'orphan-image': 1}),
        (_set('annotations', 0, category_id=9), (2, 1, 2), {'orphan-category': 1}),
        (
            _set('images', 0, width=0),
            (1, 1, 2),
            {'entry-unreadable': 1, 'orphan-image': 1},
        ),
        (_set('images', 1, id=1), (0, 0, 2), {'image-id-twice': 2, 'orphan-image': 2}),
        (_set('annotations', 0, segmentation='x'), (2, 2, 2), {'value-dropped': 1}),
        (_set('categories', 0, skeleton=_deep(60)), (2, 2, 2), {'value-dropped': 1}),
        (lambda x: x.update(info=_deep(60)), (2, 2, 2), {'value-dropped': 1}),
        (lambda x: x.pop('annotations'), (2, 0, 2), {'coco-form': 1}),
        (
            lambda x: x.update(images=None),
            (0, 0, 2),
            {'coco-form': 1, 'orphan-image': 2},
        ),
        (
            _set('categories', 1, id=1),
            (2, 1, 1),
            {'category-id-twice': 1, 'orphan-category': 1},
        ),
    ],
)
def test_what_nobody_can_read_is_left_out(
    change: Change, sizes: tuple[int, ...], counts: dict[str, int]
) -> None:
    mended, found = _mend(change)

    names = ('images', 'annotations', 'categories')
    assert tuple(len(mended[name]) for name in names) == sizes
    assert found == counts


def test_an_image_that_is_listed_again_gets_all_its_objects() -> None:
    mended, counts = _mend(_set('images', 1, file_name='./a.jpg'))

    assert [image['id'] for image in mended['images']] == [1]
    assert [item['image_id'] for item in mended['annotations']] == [1, 1]
    assert counts == {'image-listed-twice': 1}


def test_a_class_that_is_listed_again_is_one_class() -> None:
    mended, counts = _mend(_set('categories', 1, name='cat'))

    assert mended['categories'] == [{'id': 1, 'name': 'cat'}]
    assert [item['category_id'] for item in mended['annotations']] == [1, 1]
    assert counts == {'category-twice': 1}


def test_the_same_entry_twice_is_one() -> None:
    mended, counts = _mend(
        lambda content: content['images'].append(content['images'][0])
    )

    assert [image['id'] for image in mended['images']] == [1, 2]
    assert counts == {'image-listed-twice': 1}


def test_ids_that_are_words_become_numbers_everywhere() -> None:
    def change(content: Content) -> None:
        content['images'][0]['id'] = content['annotations'][0]['image_id'] = 'a-1'
        content['categories'][1]['id'] = content['annotations'][1]['category_id'] = (
            10**30
        )

    mended, counts = _mend(change)

    # The image 2 and the class 1 have their numbers already.
    assert [image['id'] for image in mended['images']] == [1, 2]
    assert [category['id'] for category in mended['categories']] == [1, 2]
    assert [x['image_id'] for x in mended['annotations']] == [1, 2]
    assert [x['category_id'] for x in mended['annotations']] == [1, 2]
    assert counts == {'id-word': 2}


@pytest.mark.parametrize('content', [None, [], 'x', [{'image_id': 1}]])
def test_what_is_no_annotation_file_cannot_be_used(content: Any) -> None:
    faults = Faults()

    mended, changed = mend_annotations(content, 'ann.json', faults)

    assert mended == {'images': [], 'categories': [], 'annotations': []}
    assert changed
    assert faults.level is Level.STOP
    (example,) = faults.findings['coco-form'].examples
    assert 'where a COCO file has an object with the lists' in example


def test_strict_reading_stops_at_what_costs_objects_and_mends_the_rest() -> None:
    content = _content()
    content['annotations'][0].update(id=0, area=0)
    mended, _ = mend_annotations(content, 'ann.json', Strict())
    assert [item['id'] for item in mended['annotations']] == [1, 2]
    content['annotations'][1]['bbox'] = [1, 2]

    with pytest.raises(DatasetError) as caught:
        mend_annotations(content, 'ann.json', Strict())
    assert str(caught.value) == (
        'The annotation file ann.json gives the bbox [1, 2] in annotations[1] (id 2), '
        'which is not four finite numbers: mend or remove it.'
    )


def test_a_hundred_thousand_objects_get_numbers() -> None:
    content = _content()
    content['annotations'] *= 50_000

    _, changed = mend_annotations(content, 'ann.json', faults := Faults())

    assert changed
    assert faults.findings['annotation-id-twice'].count == 99_998
