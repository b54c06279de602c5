"""Data folders in YOLO's form."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
import yaml

from m2det_mmdet.datasets import DatasetError
from m2det_mmdet.datasets.layouts import read_layout

# Of 40 x 20 pixels: centre (20, 5), 8 x 6; the box of a triangle.
BOX, BOX_PIXELS = '1 0.5 0.25 0.2 0.3', (16, 2, 8, 6)
TRIANGLE, TRIANGLE_PIXELS = '0 0.25 0.5 0.75 0.1 0.5 0.9', (10, 2, 20, 16)

# Nine levels of nine aliases: 387 million values.
BOMB = '\n'.join(
    ['x0: &x0 {{a: 1}}']
    + [f'x{i}: &x{i} [{", ".join([f"*x{i - 1}"] * 9)}]' for i in range(1, 10)]
    + ['{key}: *x9']
)
# A box and three key points: with whether each is seen, and without.
POSE_3 = f'{BOX} 0.45 0.2 1 0.55 0.3 1 0 0 0'
POSE_2 = f'{BOX} 0.45 0.2 0.55 0.3 0 0'


@pytest.fixture
def root(tmp_path: Path, write_image: Callable) -> Path:
    """Images a and b to train, c to validate, and their description."""
    root = tmp_path / 'yolo'
    for split, names in (('train', 'ab'), ('val', 'c')):
        for name in names:
            write_image(root / 'images' / split / f'{name}.jpg')
            _write_label(root, f'{split}/{name}', BOX)
    _describe(root)
    return root


def _write_label(root: Path, name: str, text: str) -> None:
    path = root / 'labels' / f'{name}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _describe(root: Path, name: str = 'data.yaml', **changes: object) -> None:
    content = {
        'train': 'images/train',
        'val': 'images/val',
        'names': ['cat', 'dog'],
        **changes,
    }
    content = {key: value for key, value in content.items() if value is not None}
    (root / name).write_text(yaml.safe_dump(content))


def _boxes(found: dict[str, list[tuple]], name: str) -> list[tuple]:
    return [
        (label, pytest.approx(box, abs=1e-9), crowd)
        for label, box, crowd in found[f'images/{name}.jpg']
    ]


def _stops(root: Path, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        read_layout(root, root.parent / 'cache')
    assert '\n' not in str(caught.value)


def test_boxes_and_polygons_are_converted(
    root: Path, tmp_path: Path, objects: Callable
) -> None:
    _write_label(root, 'train/a', f'\ufeff{BOX}\r\n\r\n{TRIANGLE}\r\n')
    (root / 'labels' / 'train' / 'b.txt').unlink()
    layout = read_layout(root, tmp_path / 'cache')

    assert layout.kind == 'yolo'
    assert layout.classes == ('cat', 'dog')
    assert (layout.train.size, layout.val.size, layout.test) == (2, 1, None)
    assert layout.train.images == root
    found = objects(layout.train.ann_file)
    assert found['images/train/b.jpg'] == []
    assert _boxes(found, 'train/a') == [
        ('dog', BOX_PIXELS, 0),
        ('cat', TRIANGLE_PIXELS, 0),
    ]
    content = json.loads(layout.train.ann_file.read_text())
    assert [item['area'] for item in content['annotations']] == pytest.approx([48, 320])
    # pycocotools takes 0 for no match.
    assert [item['id'] for item in content['annotations']] == [1, 2]
    assert [(i['width'], i['height']) for i in content['images']] == [(40, 20)] * 2


def test_aliases_of_usual_size_are_read(root: Path, tmp_path: Path) -> None:
    text = 'train: &t images/train\nval: *t\nnames: [cat, dog]'
    (root / 'data.yaml').write_text(text)

    assert read_layout(root, tmp_path / 'cache').val.size == 2


@pytest.mark.parametrize(
    ('shape', 'line'),
    [
        ([3, 3], POSE_3),
        ([3, 2], POSE_2),
        ([3, 3], f'{BOX} 0.45 0.2 2 1.5 0.3 2 nan 0 0'),
        ([2, 2], f'{BOX} 0.45 0.2 0.55 0.3'),
        ([3, 3], BOX),
    ],
    ids=['3 numbers', '2 numbers', 'outside', 'as many as corners', 'none'],
)
def test_a_label_with_key_points_has_the_box_of_its_first_four_numbers(
    root: Path, tmp_path: Path, objects: Callable, shape: list[int], line: str
) -> None:
    _write_label(root, 'train/a', f'{line}\n{line}')
    _describe(root, kpt_shape=shape)
    layout = read_layout(root, tmp_path / 'cache')

    found = objects(layout.train.ann_file)
    assert _boxes(found, 'train/a') == [('dog', BOX_PIXELS, 0)] * 2


@pytest.mark.parametrize('line', [TRIANGLE, POSE_2, f'{POSE_3} 1'])
def test_key_points_of_another_number_stop(root: Path, line: str) -> None:
    _write_label(root, 'train/b', f'{BOX}\n{line}')
    _describe(root, kpt_shape=[3, 3])

    count = len(line.split()) - 1
    _stops(
        root,
        rf'^Line 2 of {root}/labels/train/b.txt has {count} numbers after the class, '
        r'where a box has 4, and 13 with the key points of kpt_shape: mend or remove',
    )


@pytest.mark.parametrize(
    ('line', 'shape'),
    [
        (POSE_3, r'\[3, 3\]'),
        (POSE_2, r'\[3, 2\]'),
        (f'{BOX} 0.45 0.2 2 0.5 0.25 2', r'\[2, 3\]'),
        (f'{BOX} 0.45 0.2 1 0.5 0.25 1', r'\[2, 3\]'),
        (f'{BOX} 0.45 0.2 0.5 0.25', r'\[2, 2\]'),
        (f'{BOX} 0.45 0.2', r'\[1, 2\]'),
    ],
)
def test_key_points_that_the_description_does_not_name_stop(
    root: Path, line: str, shape: str
) -> None:
    _write_label(root, 'val/c', f'{line}\n{BOX}')

    count = len(line.split()) - 1
    _stops(
        root,
        rf'^The labels, as {root}/labels/val/c.txt, have {count} numbers '
        rf'.*: write kpt_shape: {shape} into data.yaml, or kpt_shape: null if they are',
    )


def test_polygons_that_look_like_key_points_can_be_named_so(
    root: Path, tmp_path: Path, objects: Callable
) -> None:
    _write_label(root, 'train/a', f'{BOX} 0.45 0.2')
    (root / 'data.yaml').write_text(
        (root / 'data.yaml').read_text() + 'kpt_shape: null'
    )
    layout = read_layout(root, tmp_path / 'cache')

    # Corners (20, 5), (8, 6), (18, 4).
    found = objects(layout.train.ann_file)
    assert _boxes(found, 'train/a') == [('dog', (8, 4, 12, 2), 0)]


def test_what_the_description_says_of_key_points_converts_anew(
    root: Path, tmp_path: Path, objects: Callable
) -> None:
    _write_label(root, 'train/a', TRIANGLE)
    read_layout(root, tmp_path / 'cache')
    _describe(root, kpt_shape=[1, 2])
    layout = read_layout(root, tmp_path / 'cache')

    found = objects(layout.train.ann_file)
    # Centre (10, 10), 30 x 2.
    assert _boxes(found, 'train/a') == [('cat', (-5, 9, 30, 2), 0)]


@pytest.mark.parametrize(
    ('lines', 'pixels'),
    [
        # An oriented box, (20, 8) (24, 12) (20, 16) (16, 12), also where the first two
        # corners could be a box in the image with the others in it.
        (['1 0.5 0.4 0.6 0.6 0.5 0.8 0.4 0.6'], [(16, 8, 8, 8)]),
        # One polygon whose corners look like a box and points, and one of more corners.
        (
            [f'{BOX} 0.45 0.2', '1 0.5 0.5 0.6 0.5 0.6 0.6 0.5 0.7'],
            [(8, 4, 12, 2), (20, 10, 4, 4)],
        ),
        # Of two, one whose first corners are no box in the image.
        (
            [f'{BOX} 0.45 0.2', '1 0.9 0.9 0.8 0.9 0.8 0.8'],
            [(8, 4, 12, 2), (32, 16, 4, 2)],
        ),
    ],
    ids=['oriented box', 'numbers of corners', 'places of corners'],
)
def test_polygons_are_told_from_key_points(
    root: Path, tmp_path: Path, objects: Callable, lines: list[str], pixels: list[tuple]
) -> None:
    _write_label(root, 'train/a', '\n'.join([*lines, BOX]))
    layout = read_layout(root, tmp_path / 'cache')

    found = objects(layout.train.ann_file)
    expected = [('dog', box, 0) for box in [*pixels, BOX_PIXELS]]
    assert _boxes(found, 'train/a') == expected


def test_a_class_without_objects_stays(root: Path, tmp_path: Path) -> None:
    _describe(root, names={0: 'cat', 2: 'cow', 1: 'dog'}, nc=3)

    assert read_layout(root, tmp_path / 'cache').classes == ('cat', 'dog', 'cow')


def test_a_renamed_class_is_converted_anew(root: Path, tmp_path: Path) -> None:
    read_layout(root, tmp_path / 'cache')
    _describe(root, names=['cat', 'wolf'])

    assert read_layout(root, tmp_path / 'cache').classes == ('cat', 'wolf')


@pytest.mark.parametrize(
    ('text', 'later'),
    [(BOX.replace('1', '0', 1), 1_000_000), (f'{BOX}\n{TRIANGLE}', 0)],
    ids=['time', 'size'],
)
def test_another_time_or_size_of_labels_is_enough_to_convert_anew(
    root: Path, tmp_path: Path, text: str, later: int
) -> None:
    label = root / 'labels' / 'train' / 'a.txt'
    before = label.stat()
    first = read_layout(root, tmp_path / 'cache')
    _write_label(root, 'train/a', text)
    os.utime(label, ns=(before.st_atime_ns, before.st_mtime_ns + later))

    assert read_layout(root, tmp_path / 'cache') != first


def test_boxes_without_area_are_left_out_and_counted(
    root: Path, tmp_path: Path, objects: Callable, log: list[str]
) -> None:
    _write_label(root, 'train/b', '0 0.5 0.5 0 0.1')
    layout = read_layout(root, tmp_path / 'cache')

    assert objects(layout.train.ann_file)['images/train/b.jpg'] == []
    assert log == ['1 boxes without area are left out, as in b.txt.']


@pytest.mark.parametrize(
    ('form', 'val'), [('images/{}', 'val'), ('{}/images', 'valid')]
)
@pytest.mark.parametrize(
    'class_file', ['classes.txt', 'labels/classes.txt', 'obj.names']
)
def test_without_a_description_the_usual_places_are_found(
    tmp_path: Path, write_image: Callable, form: str, val: str, class_file: str
) -> None:
    root = tmp_path / 'plain'
    for name in ('train', val, 'test'):
        write_image(root / form.format(name) / 'ein Bär.PNG')
        label = root / form.format(name).replace('images', 'labels') / 'ein Bär.txt'
        label.parent.mkdir(parents=True)
        label.write_text(BOX)
    (root / class_file).parent.mkdir(exist_ok=True)
    (root / class_file).write_bytes('\ufeffcat\r\ndog\r\n'.encode())
    layout = read_layout(root, tmp_path / 'cache')

    assert layout.classes == ('cat', 'dog')
    assert layout.test.size == 1
    (image,) = json.loads(layout.val.ann_file.read_text())['images']
    assert image['file_name'] == f'{form.format(val)}/ein Bär.PNG'


@pytest.mark.parametrize(
    'changes',
    [
        {'path': '.'},
        {'path': '../elsewhere'},
        {'train': '../images/train', 'val': '../images/val'},
        {'train': ['images/train'], 'val': ['images/val']},
        {'train': './images/train/', 'val': None, 'valid': 'images/val'},
        {'train': 'lists/train.txt', 'val': 'lists/val.txt'},
    ],
    ids=['path', 'path in vain', 'roboflow', 'lists of folders', 'valid', 'lists'],
)
def test_paths_of_a_description_are_followed(
    root: Path, tmp_path: Path, objects: Callable, changes: dict
) -> None:
    (root / 'lists').mkdir()
    (root / 'lists/train.txt').write_text('images/train/a.jpg\nimages/train/b.jpg\n')
    (root / 'lists/val.txt').write_text('../images/val/c.jpg')
    _describe(root, **changes)
    layout = read_layout(root, tmp_path / 'cache')

    found = objects(layout.train.ann_file)
    assert list(found) == ['images/train/a.jpg', 'images/train/b.jpg']
    assert _boxes(found, 'train/a') == [('dog', BOX_PIXELS, 0)]
    assert layout.val.size == 1


def test_the_path_of_a_description_comes_before_its_folder(
    root: Path, tmp_path: Path, write_image: Callable, objects: Callable
) -> None:
    other = tmp_path / 'other'
    for split in ('train', 'val'):
        write_image(other / 'images' / split / 'z.jpg')
        _write_label(other, f'{split}/z', BOX)
    _describe(root, path='../other')
    layout = read_layout(root, tmp_path / 'cache')

    assert list(objects(layout.train.ann_file)) == ['../other/images/train/z.jpg']


def test_images_in_folders_of_a_split_are_found(
    root: Path, tmp_path: Path, write_image: Callable, objects: Callable
) -> None:
    write_image(root / 'images' / 'train' / 'deep' / 'd.jpg')
    _write_label(root, 'train/deep/d', BOX)
    layout = read_layout(root, tmp_path / 'cache')

    found = objects(layout.train.ann_file)
    assert _boxes(found, 'train/deep/d') == [('dog', BOX_PIXELS, 0)]


def test_hidden_files_are_no_images(
    root: Path, tmp_path: Path, write_image: Callable
) -> None:
    train = root / 'images' / 'train'
    (train / '._a.jpg').write_bytes(b'of macOS')
    for folder in ('.ipynb_checkpoints', '@eaDir', '__MACOSX'):
        write_image(train / folder / 'a.jpg')

    assert read_layout(root, tmp_path).train.size == 2


def test_labels_lie_beside_the_last_folder_of_images(
    root: Path, tmp_path: Path, objects: Callable
) -> None:
    whole = tmp_path / 'whole'
    whole.mkdir()
    root.rename(whole / 'images')
    _describe(whole, train='images/images/train', val='images/images/val')
    layout = read_layout(whole, tmp_path / 'cache')

    found = objects(layout.train.ann_file)
    assert _boxes(found, 'images/train/a') == [('dog', BOX_PIXELS, 0)]


def test_images_beside_the_folder_keep_a_relative_name(
    root: Path, tmp_path: Path, objects: Callable
) -> None:
    description = tmp_path / 'description'
    description.mkdir()
    _describe(description, name='bears.yml', path=str(root))
    layout = read_layout(description, tmp_path / 'cache')

    assert list(objects(layout.val.ann_file)) == ['../yolo/images/val/c.jpg']
    assert (layout.val.images / '../yolo/images/val/c.jpg').is_file()


def test_labels_beside_images_are_found(
    tmp_path: Path, write_image: Callable, objects: Callable
) -> None:
    root = tmp_path / 'images'  # above the data folder the name means nothing
    for split in ('train', 'val'):
        write_image(root / split / 'a.jpg')
        (root / split / 'a.txt').write_text(BOX)
    _describe(root, train='train', val='val')

    layout = read_layout(root, tmp_path / 'cache')
    assert len(objects(layout.val.ann_file)['val/a.jpg']) == 1


def test_a_test_split_that_is_not_there_is_logged(
    root: Path, tmp_path: Path, log: list[str]
) -> None:
    _describe(root, test='../test/images')

    assert read_layout(root, tmp_path / 'cache').test is None
    assert log == [
        f'The file {root}/data.yaml gives test: ../test/images, which does not exist: '
        'no test.'
    ]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('2 0.5 0.5 0.1 0.1', 'has the class 2, where 2 names make it one of 0 to 1'),
        ('-1 0.5 0.5 0.1 0.1', 'has the class -1, where'),
        ('0.5 0.5 0.5 0.1 0.1', r'has the class 0\.5, where'),
        ('nan 0.5 0.5 0.1 0.1', 'has the class nan, where'),
        ('cat 0.5 0.5 0.1 0.1', "has 'cat', which is no number"),
        ('0 0.5 nan 0.1 0.1', 'has nan, which is no part of the image'),
        ('0 0.5 inf 0.1 0.1', 'has inf, which is no part of the image'),
        ('0 0.5 0.5 -0.1 0.1', r'has -0\.1, which is no part of the image'),
        ('0 0.5 0.5 -0.0005 0.1', r'has the negative size -0\.0005 x 0\.1'),
        ('0 20 5 8 4', 'has 20, which is no part of the image'),
        ('0', 'has 0 numbers after the class, where a box has 4'),
        ('0 0.5 0.5 0.1 0.1 0.9', 'has 5 numbers after the class, where'),
        ('0 0.5 0.5 0.1 0.1 0.9 0.1 0.2', 'has 7 numbers after the class, where'),
    ],
)
def test_a_faulty_line_stops(root: Path, line: str, message: str) -> None:
    _write_label(root, 'val/c', f'{BOX}\n\n{line}\n')

    _stops(root, rf'^Line 3 of {root}/labels/val/c.txt {message}.*: mend or remove it')


def test_rounding_errors_pass(root: Path, tmp_path: Path) -> None:
    _write_label(root, 'val/c', '0 0.5 0.5 1.0001 1.0')

    assert read_layout(root, tmp_path / 'cache').val.size == 1


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'train': None}, 'has no train split: put one in data.yaml, as train: FOLDER'),
        ({'train': 'gone'}, 'gives train: gone, which does not exist: correct it'),
        ({'val': 5}, 'gives val: 5, which does not exist'),
        ({'names': None}, 'gives names: None: list the names'),
        ({'names': 'cat'}, "gives names: 'cat': list the names"),
        (
            {'names': {0: 'cat', 2: 'dog'}},
            r'its names \[0, 2\]: number them from 0',
        ),
        (
            {'names': ['cat', False]},
            'the name False, which YAML does not read as text',
        ),
        ({'nc': 3}, 'gives 2 names, but nc: 3: make them agree'),
        ({'names': ['cat', ' ']}, r"the name ' ', which is not text of one line"),
        (
            {'names': ['cat', 'a\nb']},
            r"the name 'a\\nb', which is not text of",
        ),
        ({'train': 'x' * 5000}, r'gives train: x{200}\.\.\., which does not exist'),
        ({'train': {'a': 'b'}}, r"gives train: {'a': 'b'}, which is no path: correct"),
        ({'path': [1]}, r'gives path: \[1\], which is no path: correct it'),
        ({'train': '/dev/zero'}, r'gives train: /dev/zero, which does not exist'),
        *(
            (
                {'kpt_shape': value},
                r'gives kpt_shape: .*: write the number of key',
            )
            for value in (17, [17], [17, 4], ['17', 3], [-1, 2], [17, 3, 2])
        ),
    ],
)
def test_a_faulty_description_stops(root: Path, changes: dict, message: str) -> None:
    _describe(root, **changes)

    _stops(root, message)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('names: [a, b', 'cannot be read as YAML'),
        ('', 'has no keys: write names'),
        *(
            (BOMB.format(key=key), 'over 1000000 values')
            for key in ('names', 'nc', '<<')
        ),
        ('names: &a [*a]', 'cannot be read as YAML .*over 1000000 values'),
        ('names: ' + '[' * 1000, 'nests lists or keys too deeply'),
        ('nc: ' + '1' * 5000, r'has 5000 digits\): mend|has no val split'),
        ("nc: !!int ''", 'cannot be read as YAML'),
        ('nc: !!bool x', 'cannot be read as YAML'),
        ('nc: !!timestamp x', 'cannot be read as YAML'),
        ('nc: 2024-13-45', r'cannot be read as YAML \(month must be in 1..12\)'),
    ],
)
def test_a_file_that_is_no_description_stops(
    root: Path, text: str, message: str
) -> None:
    (root / 'data.yaml').write_text(text)

    _stops(root, message)


def test_several_descriptions_stop(root: Path) -> None:
    (root / 'data.yaml').unlink()
    for name in ('a.yaml', 'b.yml'):
        _describe(root, name=name)
    (root / 'other.yaml').write_text('key: [1')

    _stops(root, r'several descriptions, a.yaml, b.yml: rename the one')


def test_missing_names_stop(root: Path) -> None:
    (root / 'data.yaml').unlink()
    _stops(root, r'no names for the classes in classes.txt: write one name a line')

    (root / 'more').mkdir()
    (root / 'more' / 'data.yaml').touch()
    _stops(root, r'one name a line there, or give .*more/data.yaml in the place of')

    (root / 'labels' / 'classes.txt').touch()
    _stops(root, r'no names for the classes in .*labels/classes.txt: .* there\.$')

    (root / 'classes.txt').write_text('red cell\nwhite cell\nred cell\n')
    _stops(root, r'several classes named red cell: rename them')


def test_faulty_images_stop(root: Path, write_image: Callable) -> None:
    image = root / 'images' / 'val' / 'c.jpg'
    image.write_bytes(b'no image')
    _stops(root, rf'image {image} is no image that can be read: restore it or rem')

    image.unlink()
    _stops(root, r'No image for val is in .*images/val: put some there')

    for suffix in ('jpg', 'PNG'):
        write_image(image.with_suffix(f'.{suffix}'))
    _stops(root, r'c.PNG and .*c.jpg of val share the labels .*c.txt: rename or remove')


def _png(side: int, *, header: int = 13) -> bytes:
    """A PNG that claims to be square, with ``header`` of 13 bytes in its header."""
    size = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)[:header]
    chunks = [
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', crc32(chunk))
        for chunk in (b'IHDR' + size, b'IDAT')
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (_png(100_000), r'is too large \(.*10000000000 pixels.*: cut it into tiles'),
        (
            _png(40, header=9),
            r'cannot be read \(.*Truncated IHDR .*: restore it or rem',
        ),
        (_png(40)[:20], r'cannot be read \(.*: restore it or remove it'),
    ],
    ids=['claims to be large', 'short header', 'cut'],
)
def test_damaged_headers_of_images_stop(
    root: Path, content: bytes, message: str
) -> None:
    image = root / 'images' / 'val' / 'c.jpg'
    image.write_bytes(content)

    _stops(root, rf'^The image {image} {message}')


def test_an_image_listed_twice_stops(root: Path) -> None:
    (root / 'val.txt').write_text('images/val/c.jpg\n' * 2)
    _describe(root, val='val.txt')

    _stops(root, r'c.jpg is listed twice for val, in .*val.txt: list it once')


def test_a_split_without_labels_stops(root: Path) -> None:
    (root / 'labels' / 'val').rename(root / 'labels' / 'validate')

    _stops(root, rf'No image for val has labels: put .*{root}/labels/val/c.txt')


def test_a_list_with_a_missing_image_stops(root: Path) -> None:
    (root / 'val.txt').write_text('images/val/c.jpg\nimages/val/d.jpg\n')
    _describe(root, val='val.txt')

    _stops(root, r'val.txt names the image images/val/d.jpg, which does not exist')
