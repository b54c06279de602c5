"""Data folders in COCO's form, and what is checked in every form."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from m2det_mmdet.datasets import CheckedCocoDataset, DatasetError
from m2det_mmdet.datasets.layouts import Split, read_layout

Change = Callable[[dict], Any]
SCENES = (('train', ('a.jpg', 'b.jpg')), ('val', ('c.jpg',)))


@pytest.fixture
def root(tmp_path: Path, write_image: Callable) -> Path:
    """Two images to train and one to validate, arranged as ``m2det scenes`` does."""
    root = tmp_path / 'coco'
    for split, names in SCENES:
        for name in names:
            write_image(root / split / name)
        _write(root / 'annotations' / f'{split}.json', _content(names))
    return root


def _content(names: tuple[str, ...]) -> dict:
    ids = range(1, len(names) + 1)
    entries = zip(ids, names, strict=True)
    size = {'width': 40, 'height': 20}
    box = {'category_id': 5, 'bbox': [1, 2, 3, 4], 'area': 12, 'iscrowd': 0}
    return {
        'images': [{'id': i, 'file_name': name, **size} for i, name in entries],
        'annotations': [{'id': i, 'image_id': i, **box} for i in ids],
        'categories': [{'id': 5, 'name': 'cat'}, {'id': 2, 'name': 'dog'}],
    }


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _change(path: Path, change: Change) -> None:
    content = json.loads(path.read_text())
    change(content)
    _write(path, content)


def _stops(root: Path, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        read_layout(root, root / 'cache')
    assert '\n' not in str(caught.value)


def test_the_generator_s_form_is_read(root: Path, tmp_path: Path) -> None:
    layout = read_layout(root, tmp_path / 'cache')

    assert layout.kind == 'coco'
    assert layout.classes == ('cat', 'dog')
    assert layout.train == Split(
        root / 'annotations' / 'train.json', root / 'train', 2, (root,)
    )
    val = Split(root / 'annotations' / 'val.json', root / 'val', 1, (root,))
    assert layout.val == val
    assert layout.test is None
    assert not (tmp_path / 'cache').exists()


def test_a_data_set_of_what_was_found_loads(root: Path) -> None:
    layout = read_layout(root, root / 'cache')
    dataset = CheckedCocoDataset(
        ann_file=str(layout.train.ann_file),
        data_prefix={'img': str(layout.train.images)},
        metainfo={'classes': layout.classes},
        pipeline=[],
    )

    assert [Path(item['img_path']).is_file() for item in dataset] == [True, True]
    # The order of the file's categories counts, not that of their ids.
    assert dataset[0]['instances'][0]['bbox_label'] == 0


@pytest.mark.parametrize(
    ('ann_file', 'images'),
    [
        ('annotations/instances_{}2017.json', '{}2017'),
        ('annotations/instances_{}2017.json', 'images/{}2017'),
        ('annotations/instances_{}.json', 'images'),
        ('annotations/{}.json', 'images/{}'),
        ('annotations_coco/{}.json', 'JPEGImages'),
        ('annotations_coco/{}.json', '.'),
        ('{}/_annotations.coco.json', '{}'),
    ],
)
@pytest.mark.parametrize('val', ['val', 'valid'])
def test_the_usual_places_are_found(
    tmp_path: Path, write_image: Callable, ann_file: str, images: str, val: str
) -> None:
    for name, file_name in (('train', 'a b.JPG'), (val, 'ä.jpg'), ('test', 'c.jpg')):
        _write(tmp_path / ann_file.format(name), _content((file_name,)))
        write_image(tmp_path / images.format(name) / file_name)
    layout = read_layout(tmp_path, tmp_path / 'cache')

    for name, split in zip(
        ('train', val, 'test'), (layout.train, layout.val, layout.test), strict=True
    ):
        assert split.ann_file == tmp_path / ann_file.format(name)
        assert split.images == tmp_path / images.format(name)


def test_a_relative_root_gives_absolute_paths(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)

    assert read_layout(Path('coco'), Path('cache')).train.images == root / 'train'


def test_a_parent_without_objects_is_no_class(root: Path) -> None:
    categories = [
        {'id': 0, 'name': 'animals', 'supercategory': 'none'},
        {'id': 5, 'name': 'cat', 'supercategory': 'animals'},
        {'id': 6, 'name': 'dog', 'supercategory': 'animals'},
    ]
    for split in ('train', 'val'):
        path = root / 'annotations' / f'{split}.json'
        _change(path, lambda content: content.update(categories=categories))
    assert read_layout(root, root / 'cache').classes == ('cat', 'dog')

    # One object is enough, in whichever split.
    _change(path, lambda content: content['annotations'][0].update(category_id=0))
    assert read_layout(root, root / 'cache').classes == ('animals', 'cat', 'dog')


def test_a_category_that_is_its_own_parent_stays(root: Path) -> None:
    categories = [
        {'id': 5, 'name': 'cat', 'supercategory': 'cat'},
        {'id': 2, 'name': 'dog', 'supercategory': 'dog'},
    ]
    for split in ('train', 'val'):
        path = root / 'annotations' / f'{split}.json'
        _change(path, lambda content: content.update(categories=categories))

    assert read_layout(root, root / 'cache').classes == ('cat', 'dog')


@pytest.mark.parametrize(
    ('split', 'change', 'message'),
    [
        ('val', lambda c: c['categories'].reverse(), r'val.json are dog, cat, but'),
        ('val', lambda c: c['categories'].pop(), r'train.json are cat, dog: give both'),
        (
            'train',
            lambda c: c.update(images=[], annotations=[]),
            r'no image that can be used',
        ),
        ('val', lambda c: c['annotations'].clear(), r'val.json has no object: label'),
        ('val', lambda c: c.pop('images'), r"val.json has no list 'images'"),
        (
            'val',
            lambda c: c['images'][0].update(file_name=[]),
            r'gives the file_name \[\]',
        ),
        (
            'val',
            lambda c: c['images'][0].update(file_name='x' * 5000),
            r'images of .*val.json, x{200}\.\.\., do not lie together',
        ),
    ],
    ids=[
        'order',
        'fewer classes',
        'no image',
        'no object',
        'no list',
        'no name',
        'a name that is too long',
    ],
)
def test_faulty_annotations_stop(
    root: Path, split: str, change: Change, message: str
) -> None:
    _change(root / 'annotations' / f'{split}.json', change)

    _stops(root, message)


@pytest.mark.parametrize(
    ('categories', 'message'),
    [
        ([], 'train.json has no category: export'),
        ([{'id': 5, 'name': 'cat'}] * 2, 'has the category cat more than once'),
        (
            [{'id': 5, 'name': 'cat'}, {'id': 6, 'name': 'cat'}],
            'train.json has the category cat more than once: rename',
        ),
        ([{'id': 5, 'name': {}}], r'train.json gives the name {} in categories\[0\]'),
    ],
    ids=['none', 'id twice', 'name twice', 'no text'],
)
def test_faulty_categories_stop(
    root: Path, categories: list[dict], message: str
) -> None:
    for split in ('train', 'val'):
        _change(
            root / 'annotations' / f'{split}.json',
            lambda content: content.update(categories=categories, annotations=[]),
        )

    _stops(root, message)


def test_a_missing_train_split_stops(root: Path) -> None:
    (root / 'annotations' / 'train.json').unlink()

    _stops(root, r'has no train split: put one in one of .*instances_train\*')


def test_a_missing_val_split_is_made_and_said(
    root: Path, tmp_path: Path, write_scene: Callable, log: list[str]
) -> None:
    (root / 'annotations' / 'val.json').unlink()
    write_scene(root / 'train' / 'a.jpg')
    layout = read_layout(root, tmp_path / 'cache')

    assert (layout.train.size, layout.val.size) == (1, 1)
    assert layout.val.ann_file.parent.parent == tmp_path / 'cache'
    assert log == [
        f'{root} has no val split: 1 of 2 images, chosen by the seed 0, are taken for '
        'it; images that look alike stay together.'
    ]


def test_two_files_of_a_split_stop(root: Path) -> None:
    for year in (2014, 2017):
        _write(root / f'annotations/instances_val{year}.json', _content(('c.jpg',)))

    _stops(root, r'2 annotation files for val, .*val2014.json, .*val2017.json: leave')


def test_images_that_lie_nowhere_stop(root: Path) -> None:
    shutil.rmtree(root / 'val')

    _stops(root, rf'first images of .*val.json, c.jpg, do not lie.*{root}/val, ')


def test_a_single_missing_image_stops(root: Path, write_image: Callable) -> None:
    names = tuple(f'{index}.jpg' for index in range(7))
    for name in names[:-1]:
        write_image(root / 'train' / name)
    _write(root / 'annotations' / 'train.json', _content(names))

    _stops(root, rf'image {root}/train/6.jpg does not exist, but .*train.json lists')


@pytest.mark.parametrize(
    ('names', 'listing'),
    [
        ((), 'nothing'),
        (('b.txt', 'a.csv'), 'a.csv, b.txt'),
        (tuple('abcdefghij'), 'a, b, c, d, e, f, g, h and 2 more'),
    ],
)
def test_an_unknown_form_stops(
    tmp_path: Path, names: tuple[str, ...], listing: str
) -> None:
    for name in names:
        (tmp_path / name).touch()

    _stops(tmp_path, rf'holds {listing}, which.*coco: .*; voc: .*; yolo: data.yaml')


def test_no_folder_stops(tmp_path: Path) -> None:
    _stops(tmp_path / 'absent', 'absent does not exist: check the path')
    (tmp_path / 'cells').mkdir()
    _stops(tmp_path / 'cels', 'cels does not exist: did you mean cells')


def test_a_file_in_the_place_of_a_folder_stops(tmp_path: Path) -> None:
    for name, fix in (('a.jpg', 'give the folder of images'), ('a.ZIP', 'unpack it')):
        (tmp_path / name).touch()
        _stops(tmp_path / name, f'{name} are a file: {fix}')


def test_a_folder_of_a_packed_file_stops(tmp_path: Path) -> None:
    (tmp_path / 'cells.zip').touch()
    _stops(tmp_path, 'holds cells.zip, which is packed: unpack it')


def test_images_of_two_splits_are_counted(
    root: Path, log: list[str], write_image: Callable
) -> None:
    read_layout(root, root / 'cache')
    assert log == []

    (root / 'train').rename(root / 'images')
    (root / 'val').rename(root / 'elsewhere')
    write_image(root / 'images' / 'c.jpg')
    _write(root / 'annotations' / 'val.json', _content(('a.jpg', 'c.jpg')))
    read_layout(root, root / 'cache')

    assert log == [
        f'1 images are in train and in val, as {root}/images/a.jpg: AP on them means '
        'little.'
    ]


def test_images_of_the_test_split_that_others_have_are_counted(
    root: Path, log: list[str]
) -> None:
    (root / 'val').rename(root / 'images')
    _write(root / 'annotations' / 'test.json', _content(('c.jpg',)))
    read_layout(root, root / 'cache')

    assert log == [
        f'1 images are in val and in test, as {root}/images/c.jpg: AP on them means '
        'little.'
    ]
