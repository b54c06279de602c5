"""Images that are named by paths of other machines."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.places import locate, tails
from m2det_mmdet.datasets.layouts.tree import Tree

FILES = (
    'train/1.jpg',
    'val/1.jpg',
    'val/b c.jpg',
    'images/x/d.jpg',
    'images/y/d.jpg',
    'E.JPG',
    '100%25.png',
)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return Tree(tmp_path, Faults())


@pytest.mark.parametrize(
    ('written', 'found'),
    [
        ('E.JPG', ['E.JPG']),
        ('C:\\Users\\me\\data\\train\\1.jpg', ['train/1.jpg']),
        ('..\\val\\1.jpg', ['val/1.jpg']),
        ('D:\\Train\\1.JPG', ['train/1.jpg']),
        ('/content/set/val/1.jpg', ['val/1.jpg']),
        ('file:///mnt/disk/val/b%20c.jpg', ['val/b c.jpg']),
        ('https://host/up/b%20c.jpg?token=1', ['val/b c.jpg']),
        ('s3://bucket/images/y/d.jpg', ['images/y/d.jpg']),
        ('/data/upload/3/ab12cd34-b%20c.jpg', ['val/b c.jpg']),
        ('..\\..\\media\\upload\\3\\ab12cd34-e.jpg', ['E.JPG']),
        ('/data/local-files/?d=set%2Fx%2Fd.jpg', ['images/x/d.jpg']),
        # A name with a percent sign is tried as it is first.
        ('C:/100%25.png', ['100%25.png']),
        ('/elsewhere/d.jpg', ['images/x/d.jpg', 'images/y/d.jpg']),
        ('/elsewhere/1.jpg', ['train/1.jpg', 'val/1.jpg']),
        # Not eight digits, and no other name.
        ('/upload/ab12cd3-e.jpg', []),
        ('f.jpg', []),
        ('http://[', []),
        ('', []),
        ('C:\\', []),
        ('\0', []),
    ],
)
def test_the_images_that_fit_the_end_of_a_path_are_found(
    tree: Tree, written: str, found: list[str]
) -> None:
    assert locate(tree, written, split=None) == found


def test_images_of_other_splits_and_folders_are_not_meant(tree: Tree) -> None:
    assert locate(tree, 'C:\\1.jpg', split='val') == ['val/1.jpg']
    assert locate(tree, '/train/1.jpg', split='val') == ['val/1.jpg']
    assert locate(tree, '/b c.jpg', split='train') == []
    assert locate(tree, '/d.jpg', split=None, below='images/y/') == ['images/y/d.jpg']


@pytest.mark.parametrize(
    ('written', 'found'),
    [
        (
            '/content/set/train/images',
            ['content/set/train/images', 'set/train/images', 'train/images'],
        ),
        ('D:\\set\\train', ['set/train', 'train']),
        ('/set/train.txt', ['set/train.txt', 'train.txt']),
        ('..\\train\\images', ['train/images']),
        # As a path of this machine it says what it means.
        ('../test/images', []),
        ('images', []),
    ],
)
def test_the_ends_of_a_path_to_a_split_still_name_it(
    written: str, found: list[str]
) -> None:
    assert tails(written, 'train') == found


def _coco(path: Path, names: list[str]) -> None:
    images = [
        {'id': index, 'file_name': name, 'width': 40, 'height': 20}
        for index, name in enumerate(names, start=1)
    ]
    # The box tells which entry an image was found for.
    content = {
        'images': images,
        'annotations': [
            {
                'id': x['id'],
                'image_id': x['id'],
                'category_id': 1,
                'bbox': [x['id'], 2, 3, 4],
                'area': 12,
                'iscrowd': 0,
            }
            for x in images
        ],
        'categories': [{'id': 1, 'name': 'cat'}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_coco_files_with_foreign_paths_get_the_images_of_their_split(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for split in ('train', 'val'):
        for name in ('1', '2'):
            write_scene(tmp_path / 'images' / split / f'{name}.jpg', f'{split}{name}')
        paths = ['C:\\set\\1.jpg', '/data/upload/3/ab12cd34-2.jpg']
        _coco(tmp_path / 'annotations' / f'{split}.json', paths)
    found = read(tmp_path)

    for split in ('train', 'val'):
        assert found.boxes[split] == {
            f'images/{split}/{id_}.jpg': [('cat', (id_, 2, 3, 4))] for id_ in (1, 2)
        }
        assert found.folder.parts[split].ann_file is None
    assert found.counts == {'path-foreign': 4}
    example = found.faults.findings['path-foreign'].examples[0]
    assert r"names the image 'C:\\set\\1.jpg', which is no file here: " in example
    assert example.endswith('images/train/1.jpg is taken.')


def test_images_that_are_missing_or_could_be_several_are_left_out(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in ('a', 'x/b', 'y/b', 'c', 'val/d'):
        write_scene(tmp_path / 'images' / f'{name}.jpg', name)
    names = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg', 'ab12cd34-c.jpg', 'C:\\x\\b.jpg']
    _coco(tmp_path / 'annotations' / 'train.json', names)
    _coco(tmp_path / 'annotations' / 'val.json', ['d.jpg'])
    found = read(tmp_path)

    # Neither the b of two folders, nor the d of another split, nor c a second time.
    assert found.boxes['train'] == {
        'a.jpg': [('cat', (1, 2, 3, 4))],
        'c.jpg': [('cat', (3, 2, 3, 4))],
        'x/b.jpg': [('cat', (6, 2, 3, 4))],
    }
    assert found.counts == {'path-foreign': 1, 'image-missing': 3}


def test_images_in_a_usual_folder_come_before_others_of_their_name(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in ('a', 'b'):
        write_scene(tmp_path / 'images' / 'default' / f'{name}.jpg')
        write_scene(tmp_path / 'small' / f'{name}.jpg')
    paths = ['C:\\a.jpg', 'C:\\b.jpg']
    _coco(tmp_path / 'annotations' / 'instances_default.json', paths)
    found = read(tmp_path)

    names = [name for boxes in found.boxes.values() for name in boxes]
    assert sorted(names) == ['images/default/a.jpg', 'images/default/b.jpg']
    assert found.counts == {'path-foreign': 2, 'split-made': 1}


def test_a_list_and_a_description_of_another_machine_are_followed(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for split, name in (('train', 'a'), ('train', 'b'), ('val', 'a')):
        write_scene(tmp_path / 'images' / split / f'{name}.jpg', f'{split}{name}')
        label = tmp_path / 'labels' / split / f'{name}.txt'
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text('0 0.5 0.25 0.2 0.3')
    (tmp_path / 'train.txt').write_text(
        'D:\\set\\images\\train\\a.jpg\n/mnt/disk/b.jpg\n/mnt/disk/c.jpg\n'
    )
    (tmp_path / 'data.yaml').write_text(
        'path: /mnt/disk/set\ntrain: C:\\set\\train.txt\nval: /content/set/images/val\n'
        'names: [cat]\n'
    )
    found = read(tmp_path)

    box = [('cat', (16, 2, 8, 6))]
    assert found.boxes == {
        'train': {'images/train/a.jpg': box, 'images/train/b.jpg': box},
        'val': {'images/val/a.jpg': box},
    }
    assert found.counts == {'path-foreign': 4, 'image-missing': 1}
