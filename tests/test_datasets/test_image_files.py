"""What becomes of the files that a data set names as images."""

import json
import os
import struct
import zlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from m2det_mmdet.datasets.coco import CheckedCocoDataset, DatasetError

NAMES = ('a.jpg', 'b.jpg', 'c.jpg', 'd.jpg')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with four images, each of which is brighter than the one before."""
    folder = tmp_path / 'data'
    folder.mkdir()
    for index, name in enumerate(NAMES):
        cv2.imwrite(str(folder / name), np.full((20, 30, 3), 60 * index, np.uint8))
    _write(folder, NAMES)
    return folder


def _write(folder: Path, names: tuple[str, ...]) -> None:
    images = [
        {'id': id_, 'file_name': name, 'width': 30, 'height': 20}
        for id_, name in enumerate(names, start=1)
    ]
    annotations = [
        {'id': x['id'], 'image_id': x['id'], 'category_id': 1, 'bbox': [2, 3, 9, 8]}
        for x in images
    ]
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'cat'}],
    }
    (folder / 'ann.json').write_text(json.dumps(content))


def _build(folder: Path, **kwargs: Any) -> CheckedCocoDataset:
    settings = {
        'data_root': str(folder),
        'ann_file': 'ann.json',
        'data_prefix': {'img': ''},
        'metainfo': {'classes': ('cat',)},
        'pipeline': [
            {'type': 'LoadImageFromFile'},
            {'type': 'LoadAnnotations', 'with_bbox': True},
            {'type': 'PackDetInputs'},
        ],
    }
    return CheckedCocoDataset(**{**settings, **kwargs})


def _brightness(dataset: CheckedCocoDataset, num_workers: int = 0) -> list[int]:
    loader = DataLoader(dataset, batch_size=1, collate_fn=list, num_workers=num_workers)
    return [round(float(x['inputs'].float().mean()) / 60) for (x,) in loader]


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _bomb(path: Path) -> None:
    """Write the begin of a PNG of 30,000 x 30,000 pixels."""
    header = b'IHDR' + struct.pack('>IIBBBBB', 30_000, 30_000, 8, 2, 0, 0, 0)
    crc = struct.pack('>I', zlib.crc32(header))
    pixels = struct.pack('>I', 10) + b'IDAT' + bytes(14)
    begin = b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13)
    path.write_bytes(begin + header + crc + pixels)


@pytest.mark.parametrize(
    ('put', 'message'),
    [
        (_pipe, 'is no regular file'),
        (lambda path: path.symlink_to('/dev/zero'), 'leads out of the folders'),
        (Path.mkdir, 'is no regular file'),
        (_bomb, 'has 900,000,000 pixels, and max_pixels is 178,956,970'),
        (lambda path: path.write_text('text'), 'is no image'),
    ],
    ids=['pipe', 'device', 'folder', 'huge', 'text'],
)
def test_what_is_not_to_be_decoded_stops(
    root: Path, put: Callable[[Path], None], message: str
) -> None:
    (root / 'b.jpg').unlink()
    put(root / 'b.jpg')

    with pytest.raises(DatasetError, match=message) as caught:
        _brightness(_build(root))
    assert f'{root}/b.jpg' in str(caught.value)


def test_a_device_is_not_read_where_links_may_lead_out(root: Path) -> None:
    (root / 'b.jpg').unlink()
    (root / 'b.jpg').symlink_to('/dev/zero')

    with pytest.raises(DatasetError, match='is no regular file'):
        _brightness(_build(root, allow_outside=True))


def test_the_limit_of_pixels_can_be_moved(root: Path) -> None:
    assert _brightness(_build(root, max_pixels=600)) == [0, 1, 2, 3]
    assert _brightness(_build(root, max_pixels=None)) == [0, 1, 2, 3]
    with pytest.raises(DatasetError, match='has 600 pixels, and max_pixels is 599'):
        _brightness(_build(root, max_pixels=599))
    with pytest.raises(DatasetError, match='max_pixels must be a whole number'):
        _build(root, max_pixels=0)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_unreadable_images_are_skipped_and_told(root: Path, num_workers: int) -> None:
    (root / 'b.jpg').write_text('text')
    (root / 'd.jpg').write_bytes((root / 'd.jpg').read_bytes()[:-200])
    dataset = _build(root, unreadable='skip')

    # The next one that can be read takes its place; after the last comes the first.
    assert _brightness(dataset, num_workers) == [0, 2, 2, 0]
    dataset.full_init()  # As wrappers do.
    assert dataset.skipped == [f'{root}/b.jpg', f'{root}/d.jpg']


def test_a_copy_of_a_data_set_counts_for_itself(root: Path) -> None:
    (root / 'b.jpg').write_text('text')
    dataset = _build(root, unreadable='skip')
    copy, subset = deepcopy(dataset), dataset.get_subset([1, 2])

    _brightness(subset)
    assert (dataset.skipped, copy.skipped) == ([], [])
    assert subset.skipped == [f'{root}/b.jpg']
    _brightness(copy, num_workers=1)
    assert copy.skipped == [f'{root}/b.jpg']


def test_where_nothing_can_be_read_skipping_stops(root: Path) -> None:
    for name in NAMES:
        (root / name).unlink()

    with pytest.raises(DatasetError, match='100 images in a row cannot be read'):
        _brightness(_build(root, unreadable='skip'))


def test_tests_skip_nothing(root: Path) -> None:
    with pytest.raises(DatasetError, match='is for training'):
        _build(root, unreadable='skip', test_mode=True)
    with pytest.raises(DatasetError, match="must be 'stop' or 'skip', got 'no'"):
        _build(root, unreadable='no')


@pytest.mark.parametrize('name', ['../x.jpg', '/etc/x.jpg', 'sub/../../x.jpg'])
def test_names_that_lead_out_stop(root: Path, name: str) -> None:
    (root / 'sub').mkdir()
    _write(root, (name, *NAMES, name))

    with pytest.raises(DatasetError, match='leads out of the folders') as caught:
        _build(root)
    assert str(caught.value).startswith(f'The annotation file {root}/ann.json names')
    assert '(2 such images)' in str(caught.value)
    assert len(_build(root, allow_outside=True)) == 6


def test_links_that_lead_out_stop_even_where_others_are_skipped(root: Path) -> None:
    outside = root.parent / 'x.jpg'
    (root / 'b.jpg').rename(outside)
    (root / 'b.jpg').symlink_to(outside)

    for unreadable in ('stop', 'skip'):
        with pytest.raises(DatasetError, match=r'b\.jpg, which leads out .* by a link'):
            _brightness(_build(root, unreadable=unreadable))
    allowed = _build(root, allow_outside=[str(root.parent)])
    assert _brightness(allowed) == [0, 1, 2, 3]


def test_usual_arrangements_lie_inside(root: Path, tmp_path: Path) -> None:
    (tmp_path / 'link').symlink_to('data')
    (tmp_path / 'annotations').mkdir()
    (root / 'ann.json').rename(tmp_path / 'annotations/ann.json')
    beside = {'ann_file': 'annotations/ann.json', 'data_prefix': {'img': 'link/'}}
    assert _brightness(_build(tmp_path, **beside)) == [0, 1, 2, 3]

    _write(root, tuple(str(root / name) for name in NAMES))
    assert _brightness(_build(root)) == [0, 1, 2, 3]
    assert _brightness(_build(tmp_path / 'link')) == [0, 1, 2, 3]


@pytest.mark.parametrize('root_given', [True, False])
def test_an_address_is_no_image(root: Path, root_given: bool) -> None:
    _write(root, ('http://localhost/a.jpg', *NAMES))
    settings = {} if root_given else {'data_root': '', 'ann_file': f'{root}/ann.json'}

    with pytest.raises(DatasetError, match=r'by an address \(1 such images\): downl'):
        _build(root, **settings)
