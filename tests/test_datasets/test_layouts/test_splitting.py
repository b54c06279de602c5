"""Splits that are made by a seed."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from m2det_mmdet.datasets import DatasetError
from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts import Split, read_layout, write_folder
from m2det_mmdet.datasets.layouts.folder import read_folder
from m2det_mmdet.datasets.layouts.splitting import choose

NAMES = [f'{index:03}.jpg' for index in range(50)]
ALONE = list(range(50))


def _chosen(
    classes: list[set[int]], groups: list[int] = ALONE, seed: int = 0
) -> set[int]:
    return choose(NAMES[: len(classes)], classes, groups[: len(classes)], seed)


def test_a_fifth_is_chosen_by_the_seed_and_the_names_alone() -> None:
    chosen = {NAMES[index] for index in _chosen([{1}] * 50)}
    assert len(chosen) == 10
    assert {NAMES[index] for index in _chosen([{1}] * 50, seed=1)} != chosen

    order = NAMES.copy()
    random.Random(0).shuffle(order)
    found = choose(order, [{1}] * 50, ALONE, 0)
    assert {order[index] for index in found} == chosen


@pytest.mark.parametrize('seed', range(5))
def test_every_class_of_two_images_is_on_both_sides(seed: int) -> None:
    # Class 1 in all images, 2 in two of them, 3 in one, 4 in three.
    classes = [{1} for _ in range(50)]
    for index, kind in ((3, 2), (30, 2), (7, 3), (10, 4), (20, 4), (40, 4)):
        classes[index].add(kind)
    chosen = _chosen(classes, seed=seed)

    assert len(chosen) == 10
    for kind, to_train in ((2, {1}), (3, {1}), (4, {1, 2})):
        left = [i for i in range(50) if kind in classes[i] and i not in chosen]
        assert len(left) in to_train


def test_groups_stay_together() -> None:
    groups = [index // 4 for index in range(50)]
    chosen = _chosen([{1}] * 50, groups)

    sides = [
        {index in chosen for index in ALONE if groups[index] == g} for g in range(13)
    ]
    assert all(len(side) == 1 for side in sides)
    assert 8 <= len(chosen) <= 10


@pytest.mark.parametrize(
    ('classes', 'groups', 'chosen'),
    [
        # The only images of two classes: the smaller side goes.
        ([{1}, {1}, {2}], [0, 0, 1], [{2}]),
        # A class is kept, though the other group is smaller.
        ([{1}, {1}, {1}, {2}], [0, 0, 1, 2], [{2}, {3}]),
        ([set(), set()], [0, 1], [{0}, {1}]),
    ],
)
def test_at_least_one_image_is_on_each_side(
    classes: list[set[int]], groups: list[int], chosen: list[set[int]]
) -> None:
    assert _chosen(classes, groups) in chosen


XML = (
    '<annotation><size><width>40</width><height>20</height></size><object><name>cat'
    '</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>13</xmax><ymax>9</ymax></bndbox>'
    '</object></annotation>'
)


@pytest.fixture
def root(tmp_path: Path, write_scene: Callable) -> Path:
    """Ten images and their copies, with XML files beside them."""
    root = tmp_path / 'data'
    for index in range(10):
        write_scene(root / f'{index}.png')
        shutil.copy(root / f'{index}.png', root / f'{index} copy.png')
        for name in (f'{index}', f'{index} copy'):
            (root / f'{name}.xml').write_text(XML)
    return root


def _names(data: Path, seed: int = 0) -> set[str]:
    folder = read_folder(data, Faults(), seed=seed)
    images = folder.parts['val'].content['images']
    return {image['file_name'] for image in images}


def test_copies_are_on_one_side_wherever_the_folder_lies(
    root: Path, tmp_path: Path
) -> None:
    names = _names(root)

    assert len(names) == 4
    assert {f'{Path(name).stem.split()[0]} copy.png' for name in names} < names
    assert _names(root, seed=1) != names
    # Written in another order, elsewhere.
    (tmp_path / 'other').mkdir()
    for path in sorted(root.iterdir(), reverse=True):
        shutil.copy(path, tmp_path / 'other')
    assert _names(tmp_path / 'other') == names


def test_images_that_are_all_alike_are_divided_nevertheless(
    root: Path, read: Callable
) -> None:
    for path in root.glob('*.png'):
        Image.new('RGB', (40, 20)).save(path)
    found = read(root)

    assert len(found.boxes['val']) == 4
    assert found.counts == {'split-alike': 1, 'split-made': 4}


def test_a_single_image_stops(root: Path) -> None:
    for path in root.glob('*.xml'):
        if path.stem != '1':
            path.unlink()

    with pytest.raises(DatasetError, match='has a single image, which cannot be'):
        read_folder(root, Faults())


def test_a_folder_is_written_with_its_split(root: Path, tmp_path: Path) -> None:
    folder = read_folder(root, Faults(), seed=3)
    layout = write_folder(folder, tmp_path / 'out')

    out = tmp_path / 'out'
    folders = folder.allow_outside
    assert folders[0] == root
    assert layout.train == Split(out / 'train.json', root, 16, folders)
    assert layout.val == Split(out / 'val.json', root, 4, folders)
    assert (layout.test, layout.classes, layout.kind) == (None, ('cat',), 'voc')
    split = json.loads((out / 'split.json').read_text())
    assert split['seed'] == 3
    assert set(split['val']) == _names(root, seed=3)
    assert not set(split['val']) & set(split['train'])
    val = json.loads((out / 'val.json').read_text())
    assert val['annotations'][0]['bbox'] == [2, 3, 10, 5]


def test_what_is_in_a_file_already_is_pointed_at(root: Path, tmp_path: Path) -> None:
    whole = read_layout(root, tmp_path / 'cache')
    coco = tmp_path / 'coco'
    (coco / 'annotations').mkdir(parents=True)
    (coco / 'images').symlink_to(root)
    for split in (whole.train, whole.val):
        shutil.copy(split.ann_file, coco / 'annotations')
    layout = write_folder(read_folder(coco, Faults()), tmp_path / 'out')

    assert layout.val.ann_file == coco / 'annotations' / 'val.json'
    assert not (tmp_path / 'out').exists()


def test_a_made_split_is_used_again(root: Path, tmp_path: Path) -> None:
    first = read_layout(root, tmp_path / 'cache')
    time = first.val.ann_file.stat().st_mtime_ns

    assert read_layout(root, tmp_path / 'cache') == first
    assert first.val.ann_file.stat().st_mtime_ns == time
