"""Images that a data folder names, and that lie outside of it."""

import json
import os
from pathlib import Path

import pytest
import yaml
from PIL import Image

from m2det_mmdet.apis import check_data
from m2det_mmdet.apis.evaluation_data import use_folder
from m2det_mmdet.datasets import DatasetError
from m2det_mmdet.datasets.faults import Faults, Level
from m2det_mmdet.datasets.layouts import read_layout
from m2det_mmdet.datasets.layouts.folder import read_folder
from m2det_mmdet.utils.errors import M2DetError

NAMES = ('a.jpg', 'b.jpg')


def _image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (40, 20)).save(path)
    return path


def _coco(root: Path, names: tuple[str, ...]) -> Path:
    """Write a folder in COCO's form whose training images have these names."""
    for split, files in (('train', names), ('val', ('c.jpg',))):
        images = [
            {'id': id_, 'file_name': name, 'width': 40, 'height': 20}
            for id_, name in enumerate(files, start=1)
        ]
        annotations = [
            {'id': x['id'], 'image_id': x['id'], 'category_id': 1, 'bbox': [1, 2, 9, 8]}
            for x in images
        ]
        content = {
            'images': images,
            'annotations': annotations,
            'categories': [{'id': 1, 'name': 'cat'}],
        }
        path = root / 'annotations' / f'{split}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    for name in NAMES:
        _image(root / 'train' / name)
    _image(root / 'val/c.jpg')
    return root


@pytest.mark.parametrize(
    'name', ['../../private/x.jpg', '{tmp}/private/x.jpg', 'link.jpg']
)
def test_a_name_that_leads_out_stops_unless_allowed(name: str, tmp_path: Path) -> None:
    outside = _image(tmp_path / 'private/x.jpg')
    root = _coco(tmp_path / 'data', (name.format(tmp=tmp_path), *NAMES))
    (root / 'train/link.jpg').symlink_to(outside)

    check = check_data(root)
    assert check.level is Level.STOP
    (found,) = [x for x in check.findings if x.kind.name == 'path-outside']
    assert found.count == 1
    assert f'leads out of the data folder {root}: move it' in found.examples[0]
    assert check.images['train'] == 2
    with pytest.raises(DatasetError, match='leads out of the data folder'):
        read_layout(root, tmp_path / 'cache')
    with pytest.raises(M2DetError, match='leads out of the data folder'):
        use_folder(None, root, 'train', ('cat',), tmp_path / 'out')

    allowed = check_data(root, allow_outside=True)
    assert allowed.images['train'] == 3
    assert 'path-outside' not in {x.kind.name for x in allowed.findings}
    layout = read_layout(root, tmp_path / 'cache', allow_outside=True)
    assert layout.train.allow_outside is True


def test_names_within_the_folder_are_fine(tmp_path: Path) -> None:
    data = tmp_path / 'data'
    _coco(data, ('../val/c.jpg', str(data / 'train/a.jpg'), 'b.jpg'))
    (tmp_path / 'link').symlink_to('data')
    # A folder of images may be a link; the user chose to put it there.
    (data / 'val').rename(tmp_path / 'store')
    (data / 'val').symlink_to(tmp_path / 'store')
    linked = _coco(tmp_path / 'linked', NAMES)
    (linked / 'train').rename(tmp_path / 'elsewhere')
    (linked / 'train').symlink_to(tmp_path / 'elsewhere')

    for root, number in ((data, 2), (tmp_path / 'link', 2), (linked, 2)):
        faults = Faults()
        folder = read_folder(root, faults)
        assert len(folder.parts['train'].content['images']) == number
        assert len(folder.parts['val'].content['images']) == 1
        # A link to a folder counts where the folder is the one of the images.
        found = faults.findings.get('path-outside')
        assert (found is None) is (root == linked)


def _yolo(root: Path, train: str, tmp_path: Path) -> Path:
    for split in ('train', 'val'):
        _image(tmp_path / f'set/images/{split}/a.jpg')
        label = tmp_path / f'set/labels/{split}/a.txt'
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text('0 0.5 0.5 0.2 0.2\n')
    root.mkdir()
    content = {'train': train, 'val': '../set/images/val', 'names': ['cat']}
    (root / 'data.yaml').write_text(yaml.safe_dump(content))
    return root


def test_the_places_of_a_description_belong_to_the_data(tmp_path: Path) -> None:
    root = _yolo(tmp_path / 'description', '../set/images/train', tmp_path)

    for data in (root, root / 'data.yaml'):
        layout = read_layout(data, tmp_path / 'cache')
        assert (layout.train.size, layout.val.size) == (1, 1)
        assert tmp_path / 'set/images/train' in layout.train.allow_outside


def test_the_lines_of_a_list_may_not_lead_out(tmp_path: Path) -> None:
    private = _image(tmp_path / 'private/x.jpg')
    root = _yolo(tmp_path / 'description', 'train.txt', tmp_path)
    (root / 'train.txt').write_text(f'{private}\n')

    faults = Faults()
    with pytest.raises(DatasetError, match='has no image that can be used'):
        read_folder(root, faults)
    assert faults.findings['path-outside'].count == 1
    assert read_folder(root, Faults(), allow_outside=True).parts['train']


@pytest.mark.parametrize('name', ['a.txt', 'b.xml', 'classes.txt', 'c.jpg', 'd.yaml'])
def test_a_pipe_in_a_folder_is_told_and_not_read(name: str, tmp_path: Path) -> None:
    root = _coco(tmp_path / 'data', NAMES)
    os.mkfifo(root / name)

    check = check_data(root, images=True)

    assert check.level < Level.STOP
    (tmp_path / 'pipes').mkdir()
    os.mkfifo(tmp_path / 'pipes' / name)
    with pytest.raises(DatasetError):
        read_folder(tmp_path / 'pipes', Faults())
