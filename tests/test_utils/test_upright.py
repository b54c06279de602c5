"""Images of all orientations are turned as viewers turn them."""

from pathlib import Path

import mmcv
import numpy as np
import pytest
from PIL import Image, ImageOps, features

from m2det_mmdet.utils import headers
from m2det_mmdet.utils.headers import read_header
from m2det_mmdet.utils.upright import read_upright, turn

# 3 x 2 pixels, all different.
STORED = np.arange(6, dtype=np.uint8).reshape(2, 3)
# What a viewer shows of it, by the table of the EXIF standard.
SHOWN = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[3, 0], [4, 1], [5, 2]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[2, 5], [1, 4], [0, 3]],
}
FORMATS = ['jpg', 'png', 'tif', 'webp'] + ['avif'] * features.check('avif')


@pytest.mark.parametrize('orientation', SHOWN)
def test_each_orientation_has_its_turn(orientation: int) -> None:
    assert turn(STORED, orientation).tolist() == SHOWN[orientation]


@pytest.mark.parametrize('orientation', SHOWN)
@pytest.mark.parametrize('suffix', FORMATS)
def test_a_file_is_turned_as_pillow_turns_it(
    suffix: str, orientation: int, tmp_path: Path
) -> None:
    path = tmp_path / f'a.{suffix}'
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Halves of 32 pixels, which no compression mixes up.
    blocks = np.zeros((64, 96), np.uint8)
    blocks[:32, :32], blocks[:32, 32:64], blocks[32:, :32] = 250, 150, 80
    Image.fromarray(blocks).convert('RGB').save(path, exif=exif, quality=100)

    found = read_upright(path)

    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert('L'))
    assert found.shape[:2] == expected.shape
    assert np.abs(found[..., 0].astype(int) - expected).max() <= 12
    header = read_header(path)
    assert header.size == mmcv.imread(path).shape[1::-1]
    assert header.stored == (96, 64)
    assert header.tag == orientation


def test_a_format_that_opencv_turns_is_not_turned_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (4, 3)).save(tmp_path / 'a.webp', exif=exif)
    monkeypatch.setattr(headers, '_is_turned', lambda kind: True)

    # As a version of OpenCV that turns it.
    found = read_upright(tmp_path / 'a.webp', lambda path: np.zeros((4, 3, 3)))

    assert found.shape == (4, 3, 3)
    assert read_header(tmp_path / 'a.webp').size == (3, 4)


def test_what_is_no_image_stays_none(tmp_path: Path) -> None:
    assert read_upright(tmp_path / 'absent.jpg', lambda path: None) is None
    # Only the reader knows its format.
    (tmp_path / 'a.raw').write_bytes(b'raw')
    assert read_upright(tmp_path / 'a.raw', lambda path: STORED) is STORED
