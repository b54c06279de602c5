import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS, TRANSFORMS
from PIL import Image

from m2det_mmdet.datasets import DatasetError, LoadDeepImageFromFile

# Of 12 bits: 2048 * 255 / 4095 = 127.53; what is larger is white.
DEEP = np.array([[0, 2048, 4095, 65535]], np.uint16)
BYTES = [0, 128, 255, 255]


def _load(path: Path, bits: int = 12) -> np.ndarray:
    step = {'type': 'LoadDeepImageFromFile', 'bits': bits}
    results = TRANSFORMS.build(step)({'img_path': str(path)})
    assert results['img_shape'] == results['ori_shape'] == results['img'].shape[:2]
    assert results['img'].dtype == np.uint8
    return results['img']


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_twelve_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'a.{suffix}'
    cv2.imwrite(str(path), DEEP)

    image = _load(path)

    assert image.shape == (1, 4, 3)
    assert all(image[0, :, channel].tolist() == BYTES for channel in range(3))
    # Bits of a camera fill another share of 16: 2048 of 65535 is 7.97.
    assert _load(path, bits=16)[0, :, 0].tolist() == [0, 8, 16, 255]


def test_bytes_in_sixteen_bits_stay_as_they_are(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), np.array([[0, 7, 254, 255]], np.uint16))

    assert _load(tmp_path / 'a.png', bits=8)[0, :, 0].tolist() == [0, 7, 254, 255]


def test_channels_stay_in_order_and_alpha_is_dropped(tmp_path: Path) -> None:
    colour = np.dstack([DEEP, DEEP[:, ::-1], DEEP, DEEP // 2])
    cv2.imwrite(str(tmp_path / 'a.png'), colour)

    image = _load(tmp_path / 'a.png')

    assert image[0, :, 0].tolist() == BYTES
    assert image[0, :, 1].tolist() == BYTES[::-1]
    assert image.shape == (1, 4, 3)


def test_a_deep_image_is_turned_as_its_entry_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8  # by a quarter to the left: the right end comes to the top
    Image.fromarray(DEEP).save(tmp_path / 'a.png', exif=exif)

    assert _load(tmp_path / 'a.png')[:, 0, 0].tolist() == BYTES[::-1]


def test_bytes_are_those_of_the_parent(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    picture = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / 'a.jpg', exif=exif)
    picture.convert('CMYK').save(tmp_path / 'cmyk.jpg')
    picture.convert('P').save(tmp_path / 'palette.png', transparency=0)
    picture.convert('LA').save(tmp_path / 'alpha.png')

    for path in tmp_path.iterdir():
        plain = TRANSFORMS.build({'type': 'LoadImageFromFile'})
        expected = plain({'img_path': str(path)})['img']
        assert np.array_equal(_load(path), expected), path


def test_a_data_set_trains_on_them(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), np.tile(DEEP[:, :3], (2, 1)))
    box = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [0, 0, 2, 2], 'area': 4}
    content = {
        'images': [{'id': 1, 'file_name': 'a.png', 'width': 3, 'height': 2}],
        'annotations': [{**box, 'iscrowd': 0}],
        'categories': [{'id': 1, 'name': 'cell'}],
    }
    (tmp_path / 'a.json').write_text(json.dumps(content))
    pipeline = [
        {'type': 'LoadDeepImageFromFile', 'bits': 12},
        {'type': 'LoadAnnotations', 'with_bbox': True},
        {'type': 'PackDetInputs'},
    ]
    data = DATASETS.build(
        {
            'type': 'CheckedCocoDataset',
            'data_root': str(tmp_path),
            'ann_file': 'a.json',
            'data_prefix': {'img': ''},
            'metainfo': {'classes': ('cell',)},
            'pipeline': pipeline,
        }
    )

    # Channels, rows, columns.
    assert data[0]['inputs'].tolist() == [[[0, 128, 255]] * 2] * 3


def test_other_kinds_of_numbers_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.tif'), np.full((2, 2, 3), 0.5, np.float32))

    with pytest.raises(DatasetError, match=r'a\.tif has pixels of the type float32'):
        _load(tmp_path / 'a.tif')
    with pytest.raises(ValueError, match='bits must be from 8 to 16, got 17'):
        LoadDeepImageFromFile(bits=17)


def test_what_is_no_image_reads_as_none(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), DEEP)
    content = (tmp_path / 'a.png').read_bytes()
    (tmp_path / 'cut.png').write_bytes(content[: len(content) // 2])
    loader = LoadDeepImageFromFile(bits=12)

    assert loader.read(tmp_path / 'cut.png') is None
    assert loader.read(tmp_path / 'a.png')[0, 1].tolist() == [128, 128, 128]
    assert repr(loader) == (
        'LoadDeepImageFromFile(bits=12, ignore_empty=False, backend_args=None)'
    )
