"""What each kind of bad input gives: it works as in mmdet, or stops in one sentence."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from PIL import Image
from torch.utils.data import DataLoader

from m2det_mmdet.datasets.coco import (
    CheckedCocoDataset,
    DatasetError,
)

SIDE = 48  # pixels of each image
Change = Callable[[dict], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images with one object each; ids of categories and images have gaps."""
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    for name in ('a.jpg', 'b.jpg'):
        cv2.imwrite(str(tmp_path / name), noise)
    images = [
        {'id': id_, 'file_name': name, 'width': SIDE, 'height': SIDE}
        for id_, name in ((10, 'a.jpg'), (30, 'b.jpg'))
    ]
    annotations = [
        _annotation(1, image_id=10, category_id=2),
        _annotation(2, image_id=30, category_id=7),
    ]
    categories = [{'id': 2, 'name': 'cat'}, {'id': 7, 'name': 'dog'}]
    _write(
        tmp_path,
        {'images': images, 'annotations': annotations, 'categories': categories},
    )
    return tmp_path


def _annotation(id_: int, **kwargs: Any) -> dict:
    entry = {'id': id_, 'bbox': [4, 6, 20, 10], 'area': 200, 'iscrowd': 0}
    return {**entry, **kwargs}


def _write(folder: Path, content: dict) -> None:
    (folder / 'ann.json').write_text(json.dumps(content))


def _change(folder: Path, change: Change) -> None:
    content = json.loads((folder / 'ann.json').read_text())
    change(content)
    _write(folder, content)


def _config(folder: Path, classes: Any = ('cat', 'dog'), **kwargs: Any) -> dict:
    return {
        'type': 'CheckedCocoDataset',
        'data_root': str(folder),
        'ann_file': 'ann.json',
        'data_prefix': {'img': ''},
        'metainfo': {'classes': classes},
        'pipeline': [
            {'type': 'LoadImageFromFile'},
            {'type': 'LoadAnnotations', 'with_bbox': True},
            {'type': 'PackDetInputs'},
        ],
        **kwargs,
    }


def _build(folder: Path, **kwargs: Any) -> CheckedCocoDataset:
    return DATASETS.build(_config(folder, **kwargs))


def _boxes(dataset: CheckedCocoDataset, index: int) -> list[list[float]]:
    instances = dataset[index]['data_samples'].gt_instances
    return instances.bboxes.tensor.tolist()


def test_ids_with_gaps_become_consecutive_labels(folder: Path) -> None:
    dataset = _build(folder)

    labels = [sample['data_samples'].gt_instances.labels.tolist() for sample in dataset]
    assert labels == [[0], [1]]
    assert _boxes(dataset, 0) == [[4, 6, 24, 16]]


@pytest.mark.parametrize(
    ('bbox', 'left'),
    [
        ([4, 6, 0, 10], []),
        ([4, 6, 10, 0.4], []),
        ([60, 60, 10, 10], []),
        ([40, 40, 20, 20], [[40, 40, 60, 60]]),
    ],
    ids=['zero width', 'below a pixel', 'outside', 'across the edge'],
)
def test_degenerate_boxes_are_dropped(
    folder: Path, bbox: list[float], left: list
) -> None:
    _change(folder, lambda content: content['annotations'][0].update(bbox=bbox))

    assert _boxes(_build(folder), 0) == left


@pytest.mark.parametrize('area', [0, None, -1, 'missing'])
def test_an_object_without_an_area_is_kept(
    area: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = []
    monkeypatch.setattr(
        'm2det_mmdet.datasets.coco.print_log',
        lambda message, **_: messages.append(message),
    )

    def change(content: dict) -> None:
        content['annotations'][0]['area'] = area
        if area == 'missing':
            del content['annotations'][0]['area']

    _change(folder, change)

    assert _boxes(_build(folder), 0) == [[4, 6, 24, 16]]
    assert messages == [
        '1 objects without an area, as the object of the id 1, get that of their box.'
    ]


def test_crowds_are_ignored_regions(folder: Path) -> None:
    crowd = _annotation(3, image_id=10, category_id=2, iscrowd=1)
    _change(folder, lambda content: content['annotations'].append(crowd))

    sample = _build(folder)[0]['data_samples']
    assert len(sample.gt_instances) == 1
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[4, 6, 24, 16]]


@pytest.mark.parametrize(('filter_empty_gt', 'length'), [(True, 1), (False, 2)])
def test_an_image_without_objects_is_kept_or_filtered(
    folder: Path, filter_empty_gt: bool, length: int
) -> None:
    _change(folder, lambda content: content['annotations'].pop(0))

    dataset = _build(folder, filter_cfg={'filter_empty_gt': filter_empty_gt})
    assert len(dataset) == length


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_grayscale_and_cmyk_jpegs_have_three_channels(folder: Path, mode: str) -> None:
    Image.open(folder / 'a.jpg').convert(mode).save(folder / 'a.jpg')

    assert _build(folder)[0]['inputs'].shape == (3, SIDE, SIDE)


def test_a_category_that_the_config_leaves_out_is_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = []
    monkeypatch.setattr(
        'm2det_mmdet.datasets.coco.print_log',
        lambda message, **_: messages.append(message),
    )

    dataset = _build(folder, classes=('dog',))

    assert [_boxes(dataset, index) for index in (0, 1)] == [[], [[4, 6, 24, 16]]]
    assert len(messages) == 1
    assert 'cat (1)' in messages[0]


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (('cat', 'horse'), r'no category horse, .* are cat, dog'),
        (('dog', 'cat'), r"another order .*\('cat', 'dog'\)"),
        ('cat', r"must be a tuple: write \('cat',\)"),
    ],
    ids=['unknown', 'reordered', 'no tuple'],
)
def test_classes_that_do_not_match_stop(
    folder: Path, classes: Any, message: str
) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        _build(folder, classes=classes)
    assert str(folder / 'ann.json') in str(caught.value)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda content: content.pop('images'), "no list 'images'"),
        (lambda content: content.pop('annotations'), "no list 'annotations'"),
        (lambda content: content['annotations'].clear(), 'no object to learn'),
        (
            lambda content: [item.update(iscrowd=1) for item in content['annotations']],
            'no object to learn',
        ),
        (
            lambda content: content.update(images=[], annotations=[]),
            'no object to learn in 0 images',
        ),
        (
            lambda content: content['annotations'][1].pop('bbox'),
            r'lacks bbox in annotations\[1\]',
        ),
        (
            lambda content: content['annotations'][1].update(id=1),
            "the id 1 more than once in 'annotations'",
        ),
    ],
    ids=[
        'no images',
        'no annotations',
        'empty annotations',
        'only crowds',
        'empty images',
        'key missing',
        'id twice',
    ],
)
def test_annotations_of_another_form_stop(
    folder: Path, change: Change, message: str
) -> None:
    _change(folder, change)

    with pytest.raises(DatasetError, match=message) as caught:
        _build(folder)
    assert str(folder / 'ann.json') in str(caught.value)


@pytest.mark.parametrize(
    'bbox', [[float('nan'), 1, 2, 3], [1, 2, 3, float('inf')], ['4', 6, 20, 10], [1, 2]]
)
def test_a_box_that_is_not_four_numbers_stops(folder: Path, bbox: list) -> None:
    _change(folder, lambda content: content['annotations'][1].update(bbox=bbox))

    with pytest.raises(DatasetError) as caught:
        _build(folder)
    expected = f'gives the bbox {bbox!r} in annotations[1] (id 2), which is not four'
    assert expected in str(caught.value)
    assert str(folder / 'ann.json') in str(caught.value)


def _deep(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


WHOLE, POSITIVE = 'which is not a whole number', 'which is not a positive number'


@pytest.mark.parametrize(
    ('place', 'value', 'message'),
    [
        *(
            (('images',), value, f'gives {value!r} for images, which is no list')
            for value in (None, -1, True, float('nan'), {}, 'a.jpg')
        ),
        (('images', 1), None, 'gives None for images[1], which is no object with id,'),
        (('annotations', 0), 7, 'gives 7 for annotations[0], which is no object'),
        (('images', 0, 'id'), [1], f'gives the id [1] in images[0], {WHOLE}'),
        (('images', 0, 'id'), '10', f"gives the id '10' in images[0], {WHOLE}"),
        (('images', 0, 'id'), 10**400, f'in images[0], {WHOLE}'),
        (('categories', 1, 'id'), {}, f'gives the id {{}} in categories[1], {WHOLE}'),
        (('categories', 1, 'id'), True, f'gives the id True in categories[1], {WHOLE}'),
        (('annotations', 1, 'id'), '2', f"gives the id '2' in annotations[1], {WHOLE}"),
        (('annotations', 1, 'id'), -2, f'gives the id -2 in annotations[1], {WHOLE}'),
        (
            ('annotations', 0, 'image_id'),
            [],
            f'the image_id [] in annotations[0] (id 1), {WHOLE}',
        ),
        (
            ('annotations', 0, 'category_id'),
            2.5,
            f'the category_id 2.5 in annotations[0] (id 1), {WHOLE}',
        ),
        (
            ('images', 1, 'width'),
            '48',
            f"gives the width '48' in images[1] (id 30), {POSITIVE}",
        ),
        (
            ('images', 1, 'height'),
            -1,
            f'gives the height -1 in images[1] (id 30), {POSITIVE}',
        ),
        (
            ('images', 1, 'height'),
            float('nan'),
            f'gives the height nan in images[1] (id 30), {POSITIVE}',
        ),
        (
            ('images', 1, 'height'),
            0,
            f'gives the height 0 in images[1] (id 30), {POSITIVE}',
        ),
        (
            ('annotations', 0, 'area'),
            '200',
            "gives the area '200' in annotations[0] (id 1), which is not a finite",
        ),
        (
            ('annotations', 0, 'area'),
            [1],
            'gives the area [1] in annotations[0] (id 1), which is not a finite',
        ),
        (
            ('annotations', 0, 'iscrowd'),
            '0',
            "gives the iscrowd '0' in annotations[0] (id 1), which is not 0 or 1",
        ),
        (
            ('annotations', 0, 'iscrowd'),
            None,
            'gives the iscrowd None in annotations[0] (id 1), which is not 0 or 1',
        ),
        (
            ('annotations', 0, 'ignore'),
            'no',
            "gives the ignore 'no' in annotations[0] (id 1), which is not 0 or 1",
        ),
        (
            ('images', 0, 'file_name'),
            0,
            'gives the file_name 0 in images[0] (id 10), which is not the name',
        ),
        (
            ('images', 0, 'file_name'),
            '\0',
            r"gives the file_name '\x00' in images[0] (id 10), which is not the name",
        ),
        (
            ('images', 0, 'file_name'),
            '\ud800',
            r"gives the file_name '\ud800' in images[0] (id 10), which is not",
        ),
        (
            ('categories', 0, 'name'),
            'a\nb',
            r"gives the name 'a\nb' in categories[0] (id 2), which is not text",
        ),
        (
            ('categories', 0, 'supercategory'),
            [],
            'gives the supercategory [] in categories[0] (id 2), which is not text',
        ),
        (
            ('categories', 0, 'skeleton'),
            _deep(300),
            "nests lists or objects too deeply in 'categories'",
        ),
        (('info',), _deep(300), "nests lists or objects too deeply in 'info'"),
        *(
            (
                ('annotations', 0, 'segmentation'),
                value,
                'in annotations[0] (id 1), which is not a list of polygons',
            )
            for value in (
                'abc',
                5,
                [1, 2, 3, 4],
                [['1', 2]],
                [[1, float('nan')]],
                [[10**400, 0.5]],
                {},
                {'counts': 'abc'},
                {'counts': 'abc', 'size': ['4', 4]},
                {'counts': [[]], 'size': [4, 4]},
            )
        ),
        (
            ('annotations', 1, 'image_id'),
            77,
            'gives the image_id 77 in annotations[1] (id 2), which no entry of '
            'images has as its id (1 such annotations): add it to images or remove',
        ),
        (
            ('annotations', 1, 'category_id'),
            9,
            'gives the category_id 9 in annotations[1] (id 2), which no entry of',
        ),
    ],
)
def test_a_value_of_another_kind_stops(
    folder: Path, place: tuple[str | int, ...], value: Any, message: str
) -> None:
    *path, key = place

    def change(content: dict) -> None:
        for step in path:
            content = content[step]
        content[key] = value

    _change(folder, change)

    with pytest.raises(DatasetError) as caught:
        _build(folder)
    assert message in str(caught.value)
    assert str(folder / 'ann.json') in str(caught.value)
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(folder))


def test_what_files_hold_in_good_order_passes(folder: Path) -> None:
    segmentations = [
        [],
        [[4, 6, 24, 6, 24, 16.5]],
        None,
        {'counts': [0, 9], 'size': [48, 48]},
        {'counts': 'abc', 'size': [48, 48]},
    ]

    def change(content: dict) -> None:
        first = content['annotations'][0]
        # As pandas writes whole numbers of a column with gaps.
        first.update(image_id=10.0, category_id=2.0, iscrowd=False, ignore=0)
        content['annotations'] += [
            {**first, 'id': index, 'segmentation': value}
            for index, value in enumerate(segmentations, start=3)
        ]
        content['info'] = {'contributor': 'a\nb'}
        content['images'][0]['width'] = 48.0

    _change(folder, change)

    dataset = _build(folder)
    assert len(_boxes(dataset, 0)) == 1 + len(segmentations)


def test_a_filter_that_leaves_nothing_stops(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r'no object to learn in 0 images'):
        _build(folder, filter_cfg={'min_size': SIDE + 1})


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'cannot be read as COCO JSON'),
        (b'{"images": [', 'cannot be read as COCO JSON'),
        (b'\xff\xd8\xff', 'cannot be read as COCO JSON'),
        (b'[]', 'cannot be read as COCO JSON'),
        (b'{}', "no list 'images'"),
        (b'\xef\xbb\xbf{}', 'cannot be read as COCO JSON .*BOM'),
        (b'[' * 100_000, r'COCO JSON \(it nests lists or objects too deeply\)'),
        (b'{"images": ' + b'1' * 5000 + b'}', r'has 5000 digits\): export|for images'),
        (None, 'does not exist: check data_root'),
    ],
    ids=[
        'empty',
        'truncated',
        'a picture',
        'results',
        'empty object',
        'byte order mark',
        'deep',
        'thousands of digits',
        'absent',
    ],
)
def test_a_file_that_is_no_annotation_file_stops(
    folder: Path, content: bytes | None, message: str
) -> None:
    path = folder / 'ann.json'
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(DatasetError, match=message) as caught:
        _build(folder)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_annotation_file(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r'cannot be read \(Is a directory\)'):
        _build(folder, ann_file='.')


@pytest.mark.parametrize(
    ('length', 'message'),
    [(None, 'does not exist'), (0, 'is no image that'), (300, 'cannot be read')],
    ids=['missing', 'empty', 'truncated'],
)
@pytest.mark.parametrize('num_workers', [0, 1])
def test_an_unusable_image_stops_when_it_is_loaded(
    folder: Path, length: int | None, message: str, num_workers: int
) -> None:
    path = folder / 'b.jpg'
    path.unlink() if length is None else path.write_bytes(path.read_bytes()[:length])
    dataset = _build(folder)
    loader = DataLoader(dataset, batch_size=1, collate_fn=list, num_workers=num_workers)

    with pytest.raises(DatasetError, match=message) as caught:
        list(loader)
    last_line = str(caught.value).strip().splitlines()[-1]
    assert str(path) in last_line
    assert str(folder / 'ann.json') in last_line


def test_errors_of_the_pipeline_are_not_blamed_on_the_image(folder: Path) -> None:
    dataset = _build(folder, pipeline=[{'type': 'LoadAnnotations', 'with_mask': True}])

    with pytest.raises(KeyError, match='ori_shape'):
        dataset[0]


@pytest.mark.parametrize(
    ('wrapper', 'length'),
    [
        (lambda inner: {'type': 'RepeatDataset', 'dataset': inner, 'times': 3}, 6),
        (lambda inner: {'type': 'ConcatDataset', 'datasets': [inner, inner]}, 4),
        (
            lambda inner: {
                'type': 'ClassBalancedDataset',
                'dataset': inner,
                'oversample_thr': 0.1,
            },
            2,
        ),
    ],
    ids=['repeated', 'concatenated', 'balanced'],
)
def test_wrapped_datasets_are_checked(
    folder: Path, wrapper: Callable[[dict], dict], length: int
) -> None:
    cfg = wrapper(_config(folder))

    assert len(DATASETS.build(deepcopy(cfg))) == length
    (folder / 'ann.json').unlink()
    with pytest.raises(DatasetError, match='does not exist'):
        DATASETS.build(cfg)


def test_crowds_can_be_objects(folder: Path) -> None:
    _change(folder, lambda content: content['annotations'][0].update(iscrowd=1))

    assert _boxes(_build(folder), 0) == []
    assert _boxes(_build(folder, keep_crowds=True), 0) == [[4, 6, 24, 16]]


def test_boxes_can_end_at_their_last_pixel(folder: Path) -> None:
    _change(
        folder,
        lambda content: content['annotations'].append(
            _annotation(3, image_id=10, category_id=2, bbox=[4, 6, 1, 10], area=10)
        ),
    )
    # x from 4 to 23 are 20 pixels; what is one pixel wide has no width any more.
    assert _boxes(_build(folder, inclusive_boxes=True), 0) == [[4, 6, 23, 15]]
    assert len(_boxes(_build(folder), 0)) == 2
