from collections.abc import Callable
from pathlib import Path

import mmcv
import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 40, 24
# xywh, pixels of the stored image: none is the mirror of another.
BOX = [3, 5, 10, 4]
TURNED = {
    1: [3, 5, 10, 4],
    2: [27, 5, 10, 4],  # 40 - 3 - 10
    3: [27, 15, 10, 4],  # 24 - 5 - 4
    4: [3, 15, 10, 4],
    5: [5, 3, 4, 10],
    6: [15, 3, 4, 10],
    7: [15, 27, 4, 10],
    8: [5, 27, 4, 10],
}
QUARTERS = (5, 6, 7, 8)


def _write(path: Path, orientation: int, size: tuple[int, int] = (40, 24)) -> None:
    """Write an image that is white in ``BOX``, with an orientation."""
    # No two files are the same.
    pixels = np.full((size[1], size[0]), ord(path.name[0]) % 16, np.uint8)
    x, y, width, height = BOX
    pixels[y : y + height, x : x + width] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)


def _white(path: Path) -> list[int]:
    """Box (xywh, pixels) of what is white in an image as training reads it."""
    rows, columns = np.nonzero(mmcv.imread(path)[..., 0] > 128)
    x, y = columns.min(), rows.min()
    return [x, y, columns.max() - x + 1, rows.max() - y + 1]


def _boxes(folder: object, split: str = 'train') -> list[list[float]]:
    return [item['bbox'] for item in folder.parts[split].content['annotations']]


@pytest.mark.parametrize('orientation', TURNED)
def test_boxes_drawn_before_the_turn_are_turned(
    orientation: int, tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    _write(tmp_path / 'a.png', orientation)
    # A quarter turn of another image tells in which frame the labels are.
    _write(tmp_path / 'b.png', 6)
    folder = make_folder(
        train=[('a.png', 40, 24, [BOX]), ('b.png', 40, 24, [BOX])],
        val=[('b.png', 40, 24, [BOX])],
    )

    kinds = found(folder)

    box = TURNED[orientation]
    assert _boxes(folder) == [box, TURNED[6]]
    assert _boxes(folder, 'val') == [TURNED[6]]
    assert box == _white(tmp_path / 'a.png')
    entry = folder.parts['train'].content['images'][0]
    turned = (24, 40) if orientation in QUARTERS else (40, 24)
    assert (entry['width'], entry['height']) == turned
    assert list(kinds) == ['orientation-raw']
    assert kinds['orientation-raw'][0] == (2 if orientation == 1 else 3)
    assert folder.parts['train'].ann_file is None


@pytest.mark.parametrize('orientation', TURNED)
def test_boxes_drawn_on_the_turned_image_stay(
    orientation: int, tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    _write(tmp_path / 'a.png', orientation)
    _write(tmp_path / 'b.png', 6)
    size = (24, 40) if orientation in QUARTERS else (40, 24)
    folder = make_folder(
        train=[('a.png', *size, [TURNED[orientation]])],
        val=[('b.png', 24, 40, [TURNED[6]])],
    )

    assert found(folder) == {}
    assert _boxes(folder) == [TURNED[orientation]] == [_white(tmp_path / 'a.png')]
    assert folder.parts['train'].ann_file is not None


def test_polygons_and_key_points_are_turned_with_their_box(
    tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    _write(tmp_path / 'a.png', 6)
    folder = make_folder(train=[('a.png', 40, 24, [BOX, BOX])])
    first, second = folder.parts['train'].content['annotations']
    first['segmentation'] = [[3, 5, 13, 5, 13, 9]]
    first['keypoints'] = [3, 5, 2, 0, 0, 0]
    second['segmentation'] = {'size': [24, 40], 'counts': 'x'}

    found(folder)

    # (x, y) comes to (24 - y, x).
    assert first['segmentation'] == [[19, 3, 19, 13, 15, 13]]
    assert first['keypoints'] == [19, 3, 2, 24, 0, 0]
    assert 'segmentation' not in second


@pytest.mark.parametrize(
    ('others', 'unknown'),
    [
        ([], True),
        ([('raw.png', 40, 24)], False),
        ([('raw.png', 24, 40)], False),
        ([('raw.png', 24, 40), ('also.png', 40, 24)], True),
    ],
    ids=['no other', 'before', 'after', 'both'],
)
def test_where_the_size_cannot_tell_other_images_do(
    others: list,
    unknown: bool,
    tmp_path: Path,
    make_folder: Callable,
    found: Callable,
) -> None:
    _write(tmp_path / 'half.png', 3)
    _write(tmp_path / 'square.png', 6, (30, 30))
    _write(tmp_path / 'empty.png', 3)
    for name in ('raw.png', 'also.png'):
        _write(tmp_path / name, 6)
    folder = make_folder(
        train=[
            ('half.png', 40, 24, [BOX]),
            ('square.png', 30, 30, [BOX]),
            # Without an object there is nothing to turn.
            ('empty.png', 40, 24, []),
        ],
        val=[(*other, [BOX]) for other in others],
    )

    kinds = found(folder)

    assert ('orientation-unknown' in kinds) == unknown
    if unknown:
        count, first, _ = kinds['orientation-unknown']
        assert count == 2
        assert first.startswith(f'The image {tmp_path}/half.png is turned when it is')
    # 30 - 5 - 4 = 21.
    raw = others == [('raw.png', 40, 24)]
    assert _boxes(folder) == ([TURNED[3], [21, 3, 4, 10]] if raw else [BOX, BOX])


def test_a_size_that_was_measured_tells_nothing(
    tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    for name in ('a.png', 'b.png'):
        _write(tmp_path / name, 6)
    with_size = '<size><width>24</width><height>40</height></size>'
    (tmp_path / 'b.xml').write_text(f'<annotation>{with_size}</annotation>')
    (tmp_path / 'a.xml').write_text('<annotation><width>0</width></annotation>')
    images = [('a.png', 24, 40, [BOX])]

    yolo = make_folder('yolo', train=images)
    assert found(yolo)['orientation-unknown'][0] == 1
    voc = make_folder('voc', train=images)
    voc.parts['train'].sources[1] = tmp_path / 'a.xml'
    assert found(voc)['orientation-unknown'][0] == 1
    voc.parts['train'].sources[1] = tmp_path / 'b.xml'
    assert found(voc) == {}
    coco = make_folder('coco', train=images)
    coco.parts['train'].content['images'][0]['size_of_file'] = True
    assert found(coco)['orientation-unknown'][0] == 1


def test_labels_for_another_size_are_named(
    tmp_path: Path, make_folder: Callable, found: Callable
) -> None:
    Image.new('L', (40, 24)).save(tmp_path / 'a.png')
    _write(tmp_path / 'turned.png', 8)
    folder = make_folder(
        train=[
            ('a.png', 80, 48, [BOX]),
            ('a.png', 24, 40, [BOX]),
            ('turned.png', 80, 48, [BOX]),
            ('a.png', 40, 24, [BOX]),
        ]
    )

    kinds = found(folder)

    assert list(kinds) == ['size-mismatch']
    count, first, second, _ = kinds['size-mismatch']
    assert count == 3
    assert f'of {tmp_path}/a.png are for 80 x 48 pixels, and the file has 40 x' in first
    assert 'are for 24 x 40 pixels, which is swapped, and the file has 40 x' in second
    assert _boxes(folder) == [BOX] * 4
