import json
from pathlib import Path

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from m2det_mmdet.evaluation.coco_records import CocoIds, to_records


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
    with pytest.raises(ValueError, match=r'do not list /z\.jpg: leave'):
        ids.images([Path('/z.jpg')])
    with pytest.raises(ValueError, match=r'do not list /z\.jpg and 1 more'):
        ids.images([Path('/z.jpg'), Path('/b.jpg'), Path('/x.jpg')])


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
            'bbox': [10, 20, 30, 40.12],
            'score': 0.5,
        }
    ]
    assert boxes[0, 2] == 40
