"""The files of a data folder."""

import os
from pathlib import Path

import pytest

from m2det_mmdet.datasets.error import DatasetError
from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.recognition import find_data
from m2det_mmdet.datasets.layouts.tree import Tree
from m2det_mmdet.utils.predicted import SIGN


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_are_listed_in_order_without_litter(tmp_path: Path) -> None:
    _touch(
        tmp_path,
        *('b/c.jpg', 'b/a.XML', 'a.PNG', 'z.xml', 'b/.hidden.jpg', 'b/._a.jpg'),
        *('.git/a.jpg', '__MACOSX/a.jpg', 'b/@eaDir/a.jpg', 'Thumbs.db'),
    )
    tree = Tree(tmp_path, Faults())

    assert tree.files == ['a.PNG', 'b/a.XML', 'b/c.jpg', 'z.xml']
    assert tree.images == ['a.PNG', 'b/c.jpg']
    assert tree.with_suffix('.xml') == ['b/a.XML', 'z.xml']


def test_pictures_of_a_prediction_are_no_images(tmp_path: Path) -> None:
    _touch(tmp_path, 'a.jpg', 'out/pictures/a.jpg', 'pictures/b.jpg')
    (tmp_path / 'out' / 'predict.json').write_text(SIGN)

    assert Tree(tmp_path, Faults()).images == ['a.jpg', 'pictures/b.jpg']


def test_labels_of_a_prediction_are_no_labels(tmp_path: Path) -> None:
    # The other prediction was written into a folder of images.
    _touch(tmp_path, 'a.jpg', 'out/labels/a.txt', 'out/labels.json', 'out/classes.txt')
    _touch(tmp_path, 'in/b.jpg', 'in/labels/b.txt', 'in/pictures/b.jpg')
    for name in ('out', 'in'):
        (tmp_path / name / 'predict.json').write_text(SIGN)

    assert Tree(tmp_path, Faults()).files == [
        'a.jpg',
        'in/b.jpg',
        'in/labels/b.txt',
        'in/predict.json',
    ]


def test_the_folder_of_a_run_is_no_data(tmp_path: Path) -> None:
    run = ('config.py', 'args.json', 'train_images.jpg')
    _touch(tmp_path, 'a.jpg', 'work_dirs/cells/data/train.json')
    _touch(tmp_path / 'work_dirs' / 'cells', *run)
    _touch(tmp_path / 'b', *run[1:])

    assert Tree(tmp_path, Faults()).images == ['a.jpg', 'b/train_images.jpg']


def test_a_prediction_is_no_data_to_train_on(tmp_path: Path) -> None:
    _touch(tmp_path, 'labels.json', 'pictures/a.jpg')
    (tmp_path / 'predict.json').write_text(SIGN)

    with pytest.raises(DatasetError, match='is a prediction, whose pictures have boxe'):
        find_data(tmp_path, Faults())


def test_links_are_followed_once_and_not_in_circles(tmp_path: Path) -> None:
    root = tmp_path / 'root'
    _touch(root, 'b/c.jpg')
    _touch(tmp_path / 'other', 'd.jpg')
    (root / 'a').symlink_to(root / 'b')
    (root / 'b' / 'up').symlink_to(root)
    (root / 'o').symlink_to(tmp_path / 'other')
    (root / 'self').symlink_to(root / 'self')
    (root / 'gone').symlink_to(root / 'nowhere')
    faults = Faults()

    # A folder is listed at its own place, whatever the name of a link to it.
    files = Tree(root, faults).files
    assert [name for name in files if name.endswith('jpg')] == ['b/c.jpg', 'o/d.jpg']
    assert faults.findings == {}


def test_what_cannot_be_opened_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _touch(tmp_path, 'a/b.jpg', 'c/d.jpg')
    os.close(os.open(os.fsencode(tmp_path) + b'/\xff.jpg', os.O_CREAT))
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == 'a':
            raise PermissionError(13, 'Permission denied', str(path))
        return scan(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    faults = Faults()

    assert Tree(tmp_path, faults).files == ['c/d.jpg']
    finding = faults.findings['path-unreadable']
    assert finding.count == 2
    assert finding.examples == [
        f'{tmp_path}/\N{REPLACEMENT CHARACTER}.jpg cannot be opened (its name is no '
        'text): change its rights or its name.',
        f'{tmp_path}/a cannot be opened (Permission denied): change its rights or its '
        'name.',
    ]
