from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from m2det_mmdet.datasets import DatasetError
from m2det_mmdet.datasets.checks.images import check_images
from m2det_mmdet.datasets.faults import KINDS, Level, Strict

BOX = [1, 1, 2, 2]
NOISE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)


def _fill(folder: Path) -> dict[str, tuple[int, int]]:
    """Write an image of each kind; return their sizes."""
    picture = Image.fromarray(NOISE)
    picture.save(folder / 'sound.jpg')
    picture.convert('CMYK').save(folder / 'cmyk.jpg')
    picture.convert('RGBA').save(folder / 'alpha.png')
    picture.convert('P').save(folder / 'palette.png', transparency=3)
    other = Image.new('RGB', (40, 24))
    picture.save(folder / 'moves.gif', save_all=True, append_images=[other])
    Image.new('1', (20_001, 1)).save(folder / 'long.png')
    Image.new('L', (1, 1)).save(folder / 'dot.png')
    (folder / 'empty.png').touch()
    (folder / 'text.jpg').write_text('no image')
    Image.fromarray(np.zeros((24, 40), np.float32)).save(folder / 'float.tif')
    content = (folder / 'sound.jpg').read_bytes()
    (folder / 'cut.jpg').write_bytes(content[: len(content) // 2])
    sizes = {path.name: (40, 24) for path in folder.iterdir()}
    return {**sizes, 'dot.png': (1, 1), 'long.png': (20_001, 1), 'none.png': (40, 24)}


def test_all_that_is_wrong_is_found_at_once(
    tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    images = [(name, *size, [BOX]) for name, size in sorted(_fill(tmp_path).items())]
    folder = make_folder(train=images)

    kinds = found(folder)

    counts = {name: count for name, (count, *_) in kinds.items()}
    assert counts == {
        'image-unreadable': 4,
        'image-huge': 1,
        'image-alpha': 2,
        'image-cmyk': 1,
        'image-animated': 1,
    }
    assert kinds['image-unreadable'][1:] == (
        f'The image {tmp_path}/empty.png is no image that can be read: restore it or '
        'remove its labels.',
        f'The image {tmp_path}/float.tif has 32 bits a channel: convert it to 8 or 16.',
        f'The image {tmp_path}/none.png does not exist: restore it or remove its '
        'labels.',
    )
    assert '/long.png has 20001 x 1 pixels: cut it up' in kinds['image-huge'][1]
    # What is of no use is left out with its objects.
    content = folder.parts['train'].content
    names = [image['file_name'] for image in content['images']]
    assert names == [
        'alpha.png',
        'cmyk.jpg',
        'cut.jpg',
        'dot.png',
        'moves.gif',
        'palette.png',
        'sound.jpg',
    ]
    ids = [image['id'] for image in content['images']]
    assert [item['image_id'] for item in content['annotations']] == ids
    assert folder.parts['train'].ann_file is None


def test_an_image_that_is_cut_off_is_found_by_its_pixels(
    tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    _fill(tmp_path)
    folder = make_folder(train=[(x, 40, 24, [BOX]) for x in ('sound.jpg', 'cut.jpg')])

    assert found(folder) == {}
    kinds = found(folder, pixels=True)

    assert list(kinds) == ['image-unreadable']
    assert f'{tmp_path}/cut.jpg is cut off or damaged' in kinds['image-unreadable'][1]
    content = folder.parts['train'].content
    assert [image['file_name'] for image in content['images']] == ['sound.jpg']
    assert len(content['annotations']) == 1
    assert folder.parts['train'].ann_file is None


def test_a_decompression_bomb_is_not_read(
    tmp_path: Path,
    make_folder: Callable,
    found: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), NOISE)
    # Pillow refuses what is more than twice as large.
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 400)
    folder = make_folder(train=[('a.png', 40, 24, [BOX])])

    kinds = found(folder, pixels=True)

    assert list(kinds) == ['image-huge']
    assert (
        'a.png is too large (Image size (960 pixels) exceeds' in kinds['image-huge'][1]
    )
    assert folder.parts['train'].content['images'] == []


def test_a_strict_reader_stops_at_the_first_fault(
    tmp_path: Path, make_folder: Callable
) -> None:
    folder = make_folder(train=[('none.png', 40, 24, [BOX])])

    with pytest.raises(DatasetError, match=r'none\.png does not exist: restore it or'):
        check_images(folder, Strict())


def test_levels() -> None:
    levels = {
        name: KINDS[name].level
        for name in (
            'image-unreadable',
            'image-huge',
            'size-mismatch',
            'orientation-unknown',
            'image-twice',
            'split-same',
            'split-similar',
        )
    }
    assert set(levels.values()) == {Level.FAULT}
    for name in ('orientation-raw', 'depth-unused', 'image-alpha', 'image-cmyk'):
        assert KINDS[name].level == Level.NOTE
