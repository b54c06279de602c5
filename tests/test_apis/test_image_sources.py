"""What a program has for an image becomes what OpenCV would read of its file."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
import torch
from PIL import Image

from m2det_mmdet.apis import image_sources
from m2det_mmdet.apis.image_sources import each_image, is_one_image, load_source
from m2det_mmdet.utils.errors import M2DetError

# 4 x 3 pixels, whose blue, green and red are 0.., 100.. and 200...
BGR = (np.arange(12).reshape(3, 4, 1) + [0, 100, 200]).astype(np.uint8)
GRAY = BGR[..., 1]
GRAYS = np.stack([GRAY] * 3, axis=-1)
BGRA = np.dstack([BGR, np.full((3, 4), 9, np.uint8)])
EXIF = Image.Exif()
EXIF[0x0112] = 6


def rgb() -> Image.Image:
    return Image.fromarray(BGR[..., ::-1])


def test_a_path_is_read_upright(tmp_path: Path) -> None:
    for name in ('a.png', 'a.webp'):
        rgb().save(tmp_path / name, exif=EXIF, lossless=True)
        expected = np.rot90(BGR, -1)
        for source in (tmp_path / name, str(tmp_path / name)):
            found = load_source(source)
            assert np.array_equal(found.image, expected)
            assert found.path == tmp_path / name


@pytest.mark.parametrize(
    ('array', 'expected'),
    [
        (BGR, BGR),
        (BGR[::-1, ::-1], BGR[::-1, ::-1]),
        (np.asfortranarray(BGR), BGR),
        (BGR[:, ::2], BGR[:, ::2]),
        (np.ma.masked_equal(BGR, 0), BGR),
        (GRAY, GRAYS),
        (GRAY[..., None], GRAYS),
        (BGRA, BGR),
        (GRAY > 105, np.where(GRAYS > 105, 255, 0)),
        (BGR.astype(np.uint16) * 256 + 255, BGR),
        ((BGR.astype('>u2') * 256).astype('>u2'), BGR),
        (np.full((1, 1, 3), 7, np.uint8), [[[7, 7, 7]]]),
    ],
)
def test_an_array_is_made_bgr_bytes(array: np.ndarray, expected: np.ndarray) -> None:
    before = array.copy()

    found = load_source(array)

    assert found.path is None
    assert found.image.dtype == np.uint8
    assert found.image.flags.c_contiguous
    assert np.array_equal(found.image, expected)
    assert np.array_equal(array, before)


def test_an_array_that_fits_is_not_copied() -> None:
    assert load_source(BGR).image is BGR


def test_arrays_of_16_bits_are_scaled_as_files(tmp_path: Path) -> None:
    deep = np.arange(0, 65536, 5461, dtype=np.uint16).reshape(1, 13)[:, :12]
    cv2.imwrite(str(tmp_path / 'a.png'), deep)

    assert np.array_equal(load_source(deep).image, mmcv.imread(tmp_path / 'a.png'))
    assert np.array_equal(
        load_source(Image.open(tmp_path / 'a.png')).image, load_source(deep).image
    )
    scaled = load_source(deep, scale=lambda x, _: (x // 1000).astype(np.uint8))
    assert scaled.image[0, :2, 0].tolist() == [0, 5]


@pytest.mark.parametrize(
    ('image', 'expected'),
    [
        (rgb(), BGR),
        (rgb().convert('RGBA'), BGR),
        (rgb().convert('RGBA').convert('RGBa'), BGR),
        (rgb().convert('RGBX'), BGR),
        (rgb().convert('CMYK'), BGR),
        (Image.fromarray(GRAY), GRAYS),
        (Image.fromarray(GRAY).convert('LA'), GRAYS),
        (Image.fromarray(GRAY).convert('LA').convert('La'), GRAYS),
        (Image.fromarray(GRAY).convert('P'), GRAYS),
        (Image.fromarray(GRAY > 105), np.where(GRAYS > 105, 255, 0)),
    ],
)
def test_an_image_of_pillow_is_made_bgr_bytes(
    image: Image.Image, expected: np.ndarray
) -> None:
    found = load_source(image).image

    assert found.dtype == np.uint8
    assert np.array_equal(found, expected), image.mode


@pytest.mark.parametrize('mode', ['YCbCr', 'HSV', 'PA'])
def test_other_modes_of_pillow_are_read(mode: str) -> None:
    found = load_source(rgb().convert(mode)).image

    assert np.abs(found.astype(int) - BGR).max() < 60


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'tif', 'webp'])
def test_an_image_of_pillow_is_turned_as_its_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f'a.{suffix}'
    rgb().resize((40, 30)).save(path, exif=EXIF, quality=100)

    with Image.open(path) as image:
        found = load_source(image).image

    assert found.shape == (40, 30, 3)
    difference = found.astype(int) - load_source(path).image
    assert np.abs(difference).max() <= 6


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        (None, 'An image is a path, a URL, an array of NumPy .BGR. or .*, got None'),
        (5, 'got 5'),
        ({'a': 1}, 'An image is a path'),
        (b'\xff\xd8', r'bytes has no format that is known: open it by PIL\.Image'),
        (
            torch.zeros(3, 4, 5),
            r'A tensor of the shape \(3, 4, 5\) may hold RGB or BGR',
        ),
        (
            np.zeros((3, 4, 5), np.uint8),
            r'got \(3, 4, 5\): call \.transpose\(1, 2, 0\)',
        ),
        (
            np.zeros((4, 5, 2), np.uint8),
            r'has the shape \(H, W, 3\), .* got \(4, 5, 2\)\.',
        ),
        (
            np.zeros((2, 4, 5, 3), np.uint8),
            r'got \(2, 4, 5, 3\): give a list of images',
        ),
        (np.zeros(5, np.uint8), r'got \(5,\)'),
        (np.uint8(5), 'An image is a path'),
        (np.zeros((0, 5, 3), np.uint8), r'of the shape \(0, 5, 3\) has no pixels'),
        (
            np.zeros((4, 5, 3)),
            r"array of float64, whose range cannot be told: .*'uint8'",
        ),
        (np.zeros((4, 5, 3), np.int64), 'array of int64'),
        (np.zeros((4, 5, 3), object), 'array of object'),
        (Image.new('F', (4, 3)), 'has the mode F, whose range cannot be told'),
        (Image.new('I', (4, 3)), 'has the mode I, whose range'),
        ('', 'is no file: give an image'),
        ('absent.jpg', r'There is no image absent\.jpg: check the path'),
        ('a\0b', 'There is no image'),
        ('~no-such-user/a.jpg', 'There is no image'),
    ],
)
def test_anything_else_is_a_sentence(source: object, message: str) -> None:
    with pytest.raises(M2DetError, match=message):
        load_source(source)


def test_a_file_that_is_no_image_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / 'text.jpg').write_text('text')
    with pytest.raises(
        M2DetError, match=r'text\.jpg is no image that can be read: giv'
    ):
        load_source(tmp_path / 'text.jpg')
    with pytest.raises(M2DetError, match='is no file: give an image'):
        load_source(tmp_path)
    # Opening it would wait for somebody who writes.
    os.mkfifo(tmp_path / 'pipe.jpg')
    with pytest.raises(M2DetError, match=r'pipe\.jpg is no file: give an image'):
        load_source(tmp_path / 'pipe.jpg')
    with pytest.raises(M2DetError, match='did you mean text.jpg?'):
        load_source(tmp_path / 'test.jpg')


def test_a_damaged_image_of_pillow_is_a_sentence() -> None:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 9).save(file, 'PNG')
    cut = Image.open(io.BytesIO(file.getvalue()[:900]))

    with pytest.raises(M2DetError, match=r'of Pillow cannot be read \(.*\): open it'):
        load_source(cut)
    closed = rgb()
    closed.close()
    with pytest.raises(M2DetError, match='of Pillow cannot be read'):
        load_source(closed)


def test_one_image_is_told_from_many(tmp_path: Path) -> None:
    for one in ('a.jpg', Path('a.jpg'), 'http://a/b*.jpg', BGR, rgb(), torch.zeros(1)):
        assert is_one_image(one)
    for one in (b'a', bytearray(b'a'), memoryview(b'a')):
        assert is_one_image(one)
        with pytest.raises(M2DetError, match='An image in bytes has no format'):
            load_source(one)
    (tmp_path / 'a[1].jpg').touch()
    assert is_one_image(tmp_path / 'a[1].jpg')
    for many in (tmp_path, str(tmp_path), 'a/*.jpg', [BGR], (), iter([]), {BGR.size}):
        assert not is_one_image(many)
    for neither in (None, 5, {'a': 1}):
        with pytest.raises(M2DetError, match='An image is a path'):
            is_one_image(neither)


def test_folders_and_patterns_give_their_images(tmp_path: Path) -> None:
    for name in ('b.png', 'a.png', 'deep/c.png', 'text.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), BGR) if 'png' in name else None

    names = [path.name for path in each_image(tmp_path)]

    assert names == ['a.png', 'b.png', 'c.png']
    assert [path.name for path in each_image(f'{tmp_path}/*.png')] == ['a.png', 'b.png']
    mixed = [*each_image([BGR, tmp_path / 'deep', 'a.jpg'])]
    assert mixed[0] is BGR
    assert mixed[1:] == [tmp_path / 'deep' / 'c.png', 'a.jpg']
    (tmp_path / 'empty').mkdir()
    with pytest.raises(M2DetError, match='There is no image in .*empty'):
        each_image(tmp_path / 'empty')


def test_a_series_is_not_read_ahead() -> None:
    taken = []

    def images() -> Iterator[Callable]:
        for index in range(3):
            taken.append(index)
            yield BGR

    series = each_image(images())
    assert taken == []
    next(series)
    assert taken == [0]


def test_a_picture_larger_than_the_memory_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    image = rgb()
    monkeypatch.setattr(image, 'convert', fail)
    monkeypatch.setattr(image_sources.ImageOps, 'exif_transpose', lambda x: x)

    with pytest.raises(M2DetError, match='4x3 pixels takes more memory than there is'):
        load_source(image)


def test_an_image_of_the_web_is_named_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'a.png').write_bytes(b'no image')
    monkeypatch.setattr(image_sources, 'fetch_image', lambda *_: tmp_path / 'a.png')

    with pytest.raises(M2DetError) as caught:
        load_source('http://a.b/c.png')

    assert str(caught.value) == (
        'http://a.b/c.png is no image that can be read: give another image.'
    )
