import struct
import zlib
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image

from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.images import (
    common_folder,
    image_problem,
    picture_paths,
    read_images,
    write_picture,
)


def test_names_in_the_common_folder_are_unique() -> None:
    paths = [Path('/data/a.png'), Path('/data/sub/c.jpeg')]

    assert common_folder(paths) == Path('/data')
    assert common_folder(paths[1:]) == Path('/data/sub')


def test_each_image_has_a_picture_of_its_own() -> None:
    names = ['a/x.jpg', 'b/x.jpg', 'x.pgm', 'x.jpg', 'x', 'X.PNG', 'y.gif', 'y.gif.jpg']
    images = [Path('/data', name) for name in names]

    paths = picture_paths(images, Path('/out'))

    assert [path.relative_to('/out').as_posix() for path in paths.values()] == [
        'a/x.jpg',
        'b/x.jpg',
        'x.pgm.jpg',
        'x.jpg',
        # Not x.jpg, which is another image's.
        'x.jpg.jpg',
        'X.PNG',
        'y.gif.jpg.jpg',
        'y.gif.jpg',
    ]
    assert list(paths) == images
    assert picture_paths([], Path('/out')) == {}


@pytest.mark.parametrize(
    'name', ['a.bmp', 'a.jpeg', 'a.jpg', 'a.png', 'a.ppm', 'a.tif', 'a.tiff', 'A.WEBP']
)
def test_a_picture_is_written_in_colour(tmp_path: Path, name: str) -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[..., 2] = 200

    write_picture(tmp_path / 'new' / name, picture)

    written = cv2.imread(str(tmp_path / 'new' / name))
    assert written.shape == (32, 48, 3)
    np.testing.assert_allclose(written.mean((0, 1)), [0, 0, 200], atol=5)


@pytest.mark.parametrize('name', ['a.pgm', 'a', 'a.txt', 'a.jp2'])
def test_what_is_no_coloured_picture_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(M2DetError, match='cannot be a picture: give it the suffix'):
        write_picture(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_picture_that_its_format_does_not_take_is_named(tmp_path: Path) -> None:
    with pytest.raises(M2DetError, match=r'a\.jpg cannot .* no picture of 65536x1 pix'):
        write_picture(tmp_path / 'a.jpg', np.zeros((1, 65536, 3), np.uint8))


def test_kinds_of_pixels_are_read_as_eight_bits_of_three_channels(
    tmp_path: Path,
) -> None:
    gray = np.full((2, 4), 100, np.uint8)
    colour = np.full((2, 4, 3), (10, 20, 30), np.uint8)
    cv2.imwrite(str(tmp_path / 'gray.png'), gray)
    cv2.imwrite(str(tmp_path / 'deep.png'), colour.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / 'alpha.png'), np.dstack([colour, gray]))
    rgb = Image.fromarray(np.ascontiguousarray(colour[..., ::-1]))
    rgb.convert('CMYK').save(tmp_path / 'cmyk.tif')
    turned = Image.Exif()
    turned[0x0112] = 6
    rgb.save(tmp_path / 'turned.png', exif=turned)
    names = ['gray.png', 'deep.png', 'alpha.png', 'cmyk.tif', 'turned.png']

    read = dict(read_images(tmp_path / name for name in names))

    pixels = [read[tmp_path / name] for name in names]
    assert [x.shape for x in pixels] == [(2, 4, 3)] * 4 + [(4, 2, 3)]
    assert all(x.dtype == np.uint8 for x in pixels)
    assert [x[0, 0].tolist() for x in pixels] == [[100] * 3] + [[10, 20, 30]] * 4


def test_images_that_cannot_be_read_cost_themselves_alone(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'dot.png'), np.full((1, 1), 7, np.uint8))
    cv2.imwrite(str(tmp_path / 'line.png'), np.zeros((1, 20_000), np.uint8))
    # 20,000 x 20,000 pixels in 70 bytes.
    bomb = bytearray((tmp_path / 'dot.png').read_bytes())
    bomb[16:24] = struct.pack('>II', 20_000, 20_000)
    bomb[29:33] = struct.pack('>I', zlib.crc32(bomb[12:29]))
    (tmp_path / 'bomb.png').write_bytes(bomb)
    (tmp_path / 'empty.png').touch()
    names = ['bomb.png', 'empty.png', 'none.png', 'dot.png', 'line.png']

    tried = []

    def read_one(path: Path) -> np.ndarray | None:
        tried.append(path.name)
        return mmcv.imread(path)

    read = dict(read_images((tmp_path / name for name in names), read_one))

    # The bomb is not even tried.
    assert tried == names[1:]
    assert [name for name in names if read[tmp_path / name] is not None] == names[3:]
    assert read[tmp_path / 'dot.png'].tolist() == [[[7, 7, 7]]]
    assert [image_problem(tmp_path / name) for name in names[1:3]] == [
        'is no image that can be read',
        'does not exist',
    ]
    assert image_problem(tmp_path / 'bomb.png').startswith('is too large (Image size')


@pytest.mark.parametrize(
    'error', [M2DetError('of our own'), MemoryError(), cv2.error('of OpenCV')]
)
def test_a_reader_that_fails_gives_no_image(tmp_path: Path, error: Exception) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((2, 2), np.uint8))

    def read(path: Path) -> np.ndarray:
        raise error

    assert list(read_images([tmp_path / 'a.png'], read)) == [(tmp_path / 'a.png', None)]
