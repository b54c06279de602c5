import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmengine.structures import InstanceData
from pycocotools import mask as masks
from pycocotools.coco import COCO

from m2det_mmdet.evaluation.coco_records import CocoIds, check_records, to_records


@pytest.fixture
def annotations(tmp_path: Path) -> COCO:
    path = tmp_path / 'ann.json'
    images = [{'id': 139, 'file_name': 'x.jpg'}, {'id': 7, 'file_name': 'b/y.jpg'}]
    categories = [{'id': 3, 'name': 'dog'}, {'id': 9, 'name': 'cat'}]
    path.write_text(json.dumps({'images': images, 'categories': categories}))
    return COCO(str(path))


def test_coco_classes_have_their_official_ids() -> None:
    classes = CocoDataset.METAINFO['classes']
    ids = dict(zip(classes, CocoIds(classes).categories, strict=True))

    # From instances_val2017.json, around each gap.
    assert ids['person'] == 1
    assert ids['fire hydrant'] == 11
    assert ids['stop sign'] == 13
    assert ids['backpack'] == 27
    assert ids['handbag'] == 31
    assert ids['wine glass'] == 46
    assert ids['dining table'] == 67
    assert ids['toilet'] == 70
    assert ids['tv'] == 72
    assert ids['refrigerator'] == 82
    assert ids['book'] == 84
    assert ids['toothbrush'] == 90


def test_other_classes_are_numbered_from_one() -> None:
    assert CocoIds(('cat', 'dog')).categories == (1, 2)


def test_ids_are_those_of_the_annotations(annotations: COCO) -> None:
    ids = CocoIds(('cat', 'dog'), annotations)

    assert ids.categories == (9, 3)
    assert ids.image(Path('/data/val/x.jpg')) == 139
    assert ids.image(Path('/data/val/b/y.jpg')) == 7
    assert ids.image(Path('/data/val/y.jpg')) is None


def test_ids_of_several_images_differ(annotations: COCO) -> None:
    ids = CocoIds(('cat', 'dog'), annotations)
    paths = [Path('/data/a/x.jpg'), Path('/data/b/y.jpg')]

    assert ids.images(paths) == {paths[0]: 139, paths[1]: 7}
    with pytest.raises(
        ValueError, match=r'^/data/a/x\.jpg and /data/b/x\.jpg are one image .* id 139'
    ):
        ids.images([Path('/data/a/x.jpg'), Path('/data/b/x.jpg')])
    with pytest.raises(ValueError, match=r'do not list /z\.jpg: give'):
        ids.images([Path('/z.jpg')])
    with pytest.raises(ValueError, match=r'do not list /z\.jpg and 1 more'):
        ids.images([Path('/z.jpg'), Path('/b.jpg')])


def test_images_that_are_not_listed_have_no_id(annotations: COCO) -> None:
    ids = CocoIds((), annotations)

    assert ids.images([Path('/z.jpg'), Path('/x.jpg')]) == {Path('/x.jpg'): 139}
    assert ids.absent({139}) == ['b/y.jpg']
    assert ids.images([]) == {}


def test_names_of_the_annotations_are_paths(annotations: COCO) -> None:
    images = annotations.dataset['images']
    images[0]['file_name'], images[1]['file_name'] = '/data/x.jpg', './y.jpg'
    ids = CocoIds(('cat', 'dog'), annotations)

    assert ids.image(Path('/data/x.jpg')) == 139
    assert ids.image(Path('/other/x.jpg')) is None
    assert ids.image(Path('/other/y.jpg')) == 7


def test_a_name_that_is_listed_twice_stops(annotations: COCO) -> None:
    annotations.dataset['images'][1]['file_name'] = 'x.jpg'
    ids = CocoIds(('cat', 'dog'), annotations)

    with pytest.raises(ValueError, match=r'list x\.jpg for the images 139, 7: give'):
        ids.image(Path('/data/x.jpg'))


def test_a_class_that_the_annotations_lack_stops(annotations: COCO) -> None:
    with pytest.raises(ValueError, match=r'no category cow, .* they have dog, cat'):
        CocoIds(('cat', 'cow'), annotations)


def test_records_hold_corner_and_size() -> None:
    boxes = torch.tensor([[10.0, 20.0, 40.0, 60.123]])
    instances = InstanceData(
        bboxes=boxes, labels=torch.tensor([1]), scores=torch.tensor([0.5])
    )

    records = to_records(instances, 4, 'a.jpg', CocoIds(('cat', 'dog')))

    assert records == [
        {
            'image_id': 4,
            'file_name': 'a.jpg',
            'category_id': 2,
            'category_name': 'dog',
            'bbox': [10, 20, 30, 40.12],
            'score': 0.5,
        }
    ]
    assert boxes[0, 2] == 40


RECORD = {'image_id': 139, 'category_id': 3, 'bbox': [1, 2, 3.5, 4], 'score': 0.5}


def test_records_that_fit_are_taken_as_they_are(annotations: COCO) -> None:
    assert check_records([], annotations) == []
    assert check_records([RECORD, RECORD], annotations) == [RECORD, RECORD]


@pytest.mark.parametrize('compressed', [True, False])
def test_a_mask_has_the_box_around_it(annotations: COCO, compressed: bool) -> None:
    annotations.imgs[139].update(height=4, width=6)
    mask = np.zeros((4, 6), np.uint8, order='F')
    mask[1:3, 2:5] = 1
    encoded = masks.encode(mask)
    encoded['counts'] = encoded['counts'].decode()
    if not compressed:
        # Columns of four: 9 free, then 2 of the mask and 2 free, in three columns.
        encoded['counts'] = [9, 2, 2, 2, 2, 2, 5]
    record = {'image_id': 139, 'category_id': 3, 'score': 1, 'segmentation': encoded}

    (found,) = check_records([record], annotations)

    assert found == {**record, 'bbox': [2, 1, 3, 2]}


@pytest.mark.parametrize(
    ('records', 'message'),
    [
        (None, '^they are no list but None$'),
        ({'a': 1}, '^they are no list but '),
        ([1], '^record 0 is 1, no object$'),
        ([RECORD, {}], '^record 1 has the image_id None, which the annotations lack$'),
        ([{**RECORD, 'image_id': 77}], 'the image_id 77, which'),
        ([{**RECORD, 'image_id': [139]}], r'the image_id \[139\], which'),
        ([{**RECORD, 'category_id': 99}], 'the category_id 99, which'),
        ([{**RECORD, 'category_id': None}], 'the category_id None, which'),
        ([{**RECORD, 'score': None}], 'the score None, which is no finite number'),
        ([{**RECORD, 'score': float('nan')}], 'the score nan, which'),
        ([{**RECORD, 'score': '0.5'}], "the score '0.5', which"),
        ([{**RECORD, 'score': True}], 'the score True, which'),
        ([{**RECORD, 'bbox': [1, 2, float('nan'), 4]}], 'bbox .* not four finite num'),
        ([{**RECORD, 'bbox': [1, 2, float('inf'), 4]}], 'bbox .* not four finite num'),
        ([{**RECORD, 'bbox': [1, 2, 10**400, 4]}], 'bbox .* not four finite numbers'),
        ([{**RECORD, 'bbox': [1, 2, 3]}], 'bbox .* not four finite numbers'),
        ([{**RECORD, 'bbox': '1234'}], 'bbox .* not four finite numbers'),
        ([{**RECORD, 'bbox': None}], 'bbox None, which is not four finite numbers'),
        ([{**RECORD, 'bbox': [1, 2, -3, 4]}], 'whose width and height are not both'),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    records: object, message: str, annotations: COCO
) -> None:
    with pytest.raises(ValueError, match=message):
        check_records(records, annotations)


@pytest.mark.parametrize(
    'mask',
    [
        [[1, 1, 20, 1, 20, 20]],
        {},
        {'size': [4, 6]},
        {'size': [4, 6], 'counts': None},
        {'size': [4, 6], 'counts': ['a']},
        {'size': [6, 4], 'counts': [24]},
        {'size': [0, 6], 'counts': [0]},
    ],
)
def test_a_mask_of_another_form_is_refused(mask: object, annotations: COCO) -> None:
    annotations.imgs[139].update(height=4, width=6)
    record = {'image_id': 139, 'category_id': 3, 'score': 1, 'segmentation': mask}

    with pytest.raises(ValueError, match='record 0 has a segmentation that is no run-'):
        check_records([record], annotations)
