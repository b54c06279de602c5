import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image

from m2det_mmdet.utils.headers import HugeImage, UnreadableImage, read_header

# Orientation 6: the picture is to be turned by a quarter, 4x3 becomes 3x4.
EXIF = Image.Exif()
EXIF[0x0112] = 6
XMP = b'<rdf:Description xmlns:tiff="x" tiff:Orientation="6"/>'
PICTURE = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(3, 4, 3))


def _chunk(name: bytes, data: bytes) -> bytes:
    sums = zlib.crc32(name + data)
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', sums)


def _png(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel, of which the first row is there."""
    head = struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    row = zlib.compress(b'\0' * (width // 8 + 2))
    chunks = ((b'IHDR', head), (b'IDAT', row), (b'IEND', b''))
    return b'\x89PNG\r\n\x1a\n' + b''.join(_chunk(*chunk) for chunk in chunks)


def _late_exif(path: Path) -> None:
    PICTURE.save(path)
    content = path.read_bytes()
    end = content.index(b'IEND') - 4
    exif = _chunk(b'eXIf', EXIF.tobytes().removeprefix(b'Exif\0\0'))
    path.write_bytes(content[:end] + exif + content[end:])


@pytest.mark.parametrize(
    ('name', 'save', 'orientation'),
    [
        *(
            (f'a.{suffix}', lambda path: PICTURE.save(path, exif=EXIF), turned)
            # Whether OpenCV turns WebP depends on its version.
            for suffix, turned in (('jpg', 6), ('png', 6), ('tif', 6), ('webp', None))
        ),
        ('late.png', _late_exif, 6),
        # It does not read XMP, which Pillow does.
        ('xmp.jpg', lambda path: PICTURE.save(path, xmp=XMP), 1),
        ('bad.jpg', lambda path: PICTURE.save(path, exif=b'Exif\0\0no exif'), 1),
        ('plain.png', PICTURE.save, 1),
    ],
)
def test_the_size_is_that_of_the_image_as_it_is_read(
    name: str, save: Callable[[Path], None], orientation: int | None, tmp_path: Path
) -> None:
    save(tmp_path / name)

    header = read_header(tmp_path / name)

    assert header.stored == (4, 3)
    assert header.size == mmcv.imread(tmp_path / name).shape[1::-1]
    assert header.size == ((3, 4) if header.orientation == 6 else (4, 3))
    assert orientation in (header.orientation, None)


def test_pixels_of_a_png_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PICTURE.save(tmp_path / 'a.png')
    monkeypatch.setattr(Image.Image, 'load', None)
    monkeypatch.setattr('PIL.ImageFile.ImageFile.load', None)

    assert read_header(tmp_path / 'a.png').size == (4, 3)


@pytest.mark.parametrize(
    ('name', 'pixels', 'bits'),
    [
        ('grey.png', np.zeros((3, 4), np.uint8), 8),
        ('grey16.png', np.zeros((3, 4), np.uint16), 16),
        ('colour16.png', np.zeros((3, 4, 3), np.uint16), 16),
        ('alpha16.png', np.zeros((3, 4, 4), np.uint16), 16),
        ('grey16.tif', np.zeros((3, 4), np.uint16), 16),
        ('colour16.tif', np.zeros((3, 4, 3), np.uint16), 16),
        ('grey16.pgm', np.zeros((3, 4), np.uint16), 16),
    ],
)
def test_bits_of_a_channel(
    name: str, pixels: np.ndarray, bits: int, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / name), pixels)

    header = read_header(tmp_path / name)

    assert header.bits == bits
    assert header.transparent == name.startswith('alpha')


def test_floats_have_32_bits(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 4), np.float32)).save(tmp_path / 'a.tif')

    assert read_header(tmp_path / 'a.tif').bits == 32


def test_kinds_of_images(tmp_path: Path) -> None:
    PICTURE.convert('CMYK').save(tmp_path / 'cmyk.jpg')
    PICTURE.convert('P').save(tmp_path / 'palette.png', transparency=0)
    PICTURE.save(tmp_path / 'moves.gif', save_all=True, append_images=[PICTURE])
    black = Image.new('RGB', PICTURE.size)
    PICTURE.save(tmp_path / 'pages.tif', save_all=True, append_images=[black])
    # A phone writes a smaller picture behind the one that is read.
    phone = {'format': 'MPO', 'save_all': True, 'append_images': [black]}
    PICTURE.save(tmp_path / 'phone.jpg', **phone)

    headers = {path.stem: read_header(path) for path in tmp_path.iterdir()}

    assert headers['cmyk'].mode == 'CMYK'
    assert headers['palette'].transparent
    assert not headers['cmyk'].transparent
    assert {name: x.animated for name, x in headers.items()} == {
        'cmyk': False,
        'palette': False,
        'phone': False,
        # Two equal pictures are written as one.
        'moves': False,
        'pages': True,
    }


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'text.png').write_text('no image')
    (tmp_path / 'cut.png').write_bytes(_png(4, 3)[:20])
    (tmp_path / 'bomb.png').write_bytes(_png(20_000, 20_000))
    problems = {
        'none.png': 'does not exist',
        'empty.jpg': 'is no image that can be read',
        'text.png': 'is no image that can be read',
        'cut.png': 'cannot be read (',
        'bomb.png': 'is too large (Image size (400000000 pixels) exceeds limit',
    }

    for name, problem in problems.items():
        with pytest.raises(UnreadableImage) as caught:
            read_header(tmp_path / name)
        assert caught.value.problem.startswith(problem)
        assert str(caught.value).startswith(f'The image {tmp_path / name} {problem}')
        assert isinstance(caught.value, HugeImage) == (name == 'bomb.png')


def test_large_images_are_opened_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_bytes(_png(10_000, 10_000))

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert read_header(tmp_path / 'a.png').size == (10_000, 10_000)
