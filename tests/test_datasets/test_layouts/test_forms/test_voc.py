"""Data folders in VOC's form."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mmcv import imread
from mmdet.datasets import XMLDataset
from PIL import Image

from m2det_mmdet.datasets import CheckedCocoDataset, DatasetError
from m2det_mmdet.datasets.layouts import read_layout
from m2det_mmdet.utils.errors import M2DetError

ROOT = Path(__file__).parents[4]
PLACES = (ROOT / 'data' / 'bccd', ROOT.parent / 'shared' / 'data' / 'bccd')
BCCD = next((path for path in PLACES if (path / 'Annotations').is_dir()), None)

OBJECT = """
<object><name>{name}</name><difficult>{difficult}</difficult>
<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>
</bndbox></part></object>"""
SIZE = '<size><width>40</width><height>20</height><depth>3</depth></size>'


def _object(
    name: str, box: tuple[float, float, float, float], difficult: int = 0
) -> str:
    x1, y1, x2, y2 = box
    return OBJECT.format(name=name, difficult=difficult, x1=x1, y1=y1, x2=x2, y2=y2)


CAT = _object('cat', (3, 4, 13, 9))


def _write_xml(root: Path, name: str, *objects: str, size: str = SIZE) -> None:
    path = root / 'Annotations' / f'{name}.xml'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<annotation>{size}{"".join(objects)}</annotation>')


def _write_list(root: Path, split: str, text: str) -> None:
    path = root / 'ImageSets' / 'Main' / f'{split}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode('utf-8-sig' if '\r' in text else 'utf-8'))


@pytest.fixture
def root(tmp_path: Path, write_image: Callable) -> Path:
    """Images a and b to train, c to validate; a cat in each."""
    root = tmp_path / 'voc'
    for split, names in (('train', 'ab'), ('val', 'c')):
        for name in names:
            write_image(root / 'JPEGImages' / f'{name}.jpg')
            _write_xml(root, name, CAT)
        _write_list(root, split, '\n'.join(names) + '\n')
    return root


def _stops(root: Path, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_layout(root, root.parent / 'cache')


def test_boxes_and_difficult_objects_are_converted(
    root: Path, tmp_path: Path, objects: Callable
) -> None:
    _write_xml(root, 'b', _object('dog', (1, 1, 40, 20), difficult=1))
    layout = read_layout(root, tmp_path / 'cache')

    assert layout.kind == 'voc'
    assert layout.classes == ('cat', 'dog')
    assert (layout.train.size, layout.val.size, layout.test) == (2, 1, None)
    assert layout.train.images == root
    # Pixels count from one; the width is xmax - xmin.
    assert objects(layout.train.ann_file) == {
        'JPEGImages/a.jpg': [('cat', (2, 3, 10, 5), 0)],
        'JPEGImages/b.jpg': [('dog', (0, 0, 39, 19), 1)],
    }


def test_mmdet_reads_the_same_from_the_xml_files(root: Path, tmp_path: Path) -> None:
    _write_xml(
        root,
        'b',
        CAT,
        _object('dog', (1.9, 1, 40, 20.5), difficult=1),
        _object('dog', (5, 6, 8, 19)),
    )
    layout = read_layout(root, tmp_path / 'cache')
    common = {'metainfo': {'classes': layout.classes}, 'pipeline': []}
    ours = CheckedCocoDataset(
        ann_file=str(layout.train.ann_file),
        data_prefix={'img': str(layout.train.images)},
        **common,
    )
    theirs = XMLDataset(
        ann_file=str(root / 'ImageSets/Main/train.txt'),
        data_prefix={'sub_data_root': str(root)},
        **common,
    )

    for one, other in zip(ours, theirs, strict=True):
        assert one['img_path'] == other['img_path']
        assert (one['width'], one['height']) == (other['width'], other['height'])
        keys = ('bbox', 'bbox_label', 'ignore_flag')
        assert [[item[key] for key in keys] for item in one['instances']] == [
            [item[key] for key in keys] for item in other['instances']
        ]


def test_boxes_without_area_are_left_out_and_counted(
    root: Path, tmp_path: Path, objects: Callable, log: list[str]
) -> None:
    _write_xml(root, 'b', _object('cat', (4, 4, 4, 8)), _object('cat', (9, 4, 7, 8)))
    layout = read_layout(root, tmp_path / 'cache')

    assert objects(layout.train.ann_file)['JPEGImages/b.jpg'] == []
    assert log == ['2 boxes without area are left out, as in b.xml.']


def test_names_of_any_kind_and_windows_lists_are_read(
    root: Path, tmp_path: Path, write_image: Callable, objects: Callable
) -> None:
    for name, suffix in (('ein Bär', '.PNG'), ('a.b', '.jpeg')):
        write_image(root / 'JPEGImages' / f'{name}{suffix}')
        _write_xml(root, name, CAT)
    _write_list(root, 'train', 'ein Bär\r\na.b \r\n\r\n')
    layout = read_layout(root, tmp_path / 'cache')

    names = ['JPEGImages/ein Bär.PNG', 'JPEGImages/a.b.jpeg']
    assert list(objects(layout.train.ann_file)) == names


@pytest.mark.parametrize('name', ['valid', 'validation'])
def test_the_list_to_validate_has_other_names_too(
    root: Path, tmp_path: Path, name: str
) -> None:
    lists = root / 'ImageSets' / 'Main'
    (lists / 'val.txt').rename(lists / f'{name}.txt')

    assert read_layout(root, tmp_path / 'cache').val.size == 1


@pytest.mark.parametrize('folder', ['.', 'VOCdevkit'])
def test_years_are_joined(
    root: Path, tmp_path: Path, folder: str, objects: Callable
) -> None:
    years = tmp_path / 'years'
    (years / folder).mkdir(parents=True)
    root.rename(years / folder / 'VOC2007')
    other = years / folder / 'VOC2012'
    for part in ('JPEGImages', 'Annotations', 'ImageSets'):
        source = years / folder / 'VOC2007' / part
        (other / part).parent.mkdir(exist_ok=True)
        (other / part).symlink_to(source)
    layout = read_layout(years, tmp_path / 'cache')

    prefix = '' if folder == '.' else f'{folder}/'
    assert list(objects(layout.val.ann_file)) == [
        f'{prefix}VOC2007/JPEGImages/c.jpg',
        f'{prefix}VOC2012/JPEGImages/c.jpg',
    ]


@pytest.mark.parametrize(
    ('orientation', 'size'),
    [
        *((number, (40, 20)) for number in (1, 2, 3, 4)),
        *((number, (20, 40)) for number in (5, 6, 7, 8)),
    ],
)
@pytest.mark.parametrize('xml', ['', SIZE.replace('40', '0')], ids=['no', 'zero'])
def test_a_size_that_the_file_lacks_is_that_of_the_loaded_image(
    root: Path,
    tmp_path: Path,
    write_image: Callable,
    orientation: int,
    size: tuple[int, int],
    xml: str,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = root / 'JPEGImages' / 'c.jpg'
    write_image(path, exif=exif)
    _write_xml(root, 'c', CAT, size=xml)
    layout = read_layout(root, tmp_path / 'cache')

    (image,) = json.loads(layout.val.ann_file.read_text())['images']
    assert (image['width'], image['height']) == size
    assert imread(path).shape[1::-1] == size


def test_what_has_not_changed_is_not_converted_again(
    root: Path, tmp_path: Path
) -> None:
    first = read_layout(root, tmp_path / 'cache')
    first.train.ann_file.write_text(
        first.train.ann_file.read_text().replace('"cat"', '"cow"')
    )
    first.val.ann_file.write_text(
        first.val.ann_file.read_text().replace('"cat"', '"cow"')
    )
    assert read_layout(root, tmp_path / 'cache').classes == ('cow',)

    # A lost file is written again, and with it the others.
    first.val.ann_file.unlink()
    assert read_layout(root, tmp_path / 'cache') == first

    _write_xml(root, 'b', CAT, _object('dog', (1, 1, 9, 9)))
    second = read_layout(root, tmp_path / 'cache')
    assert second.classes == ('cat', 'dog')
    assert second.train.ann_file != first.train.ann_file


def test_a_cache_that_takes_no_files_stops(root: Path, tmp_path: Path) -> None:
    (tmp_path / 'cache').touch()

    with pytest.raises(M2DetError, match=r'train.json cannot be written'):
        read_layout(root, root.parent / 'cache')


@pytest.mark.parametrize(
    ('split', 'text', 'message'),
    [
        ('train', 'a\nb\na\n', r'train.txt names a 2 times: write each name once'),
        ('train', '\n', r'train.txt names no image'),
        ('val', 'd\n', r'val.txt names d, for which .*JPEGImages .* and has none: '),
        ('val', 'c.jpg\n', r'val.txt names c.jpg, for which'),
    ],
)
def test_faulty_lists_stop(root: Path, split: str, text: str, message: str) -> None:
    _write_list(root, split, text)

    _stops(root, message)


def test_two_images_for_a_name_stop(root: Path, write_image: Callable) -> None:
    write_image(root / 'JPEGImages' / 'c.png')

    _stops(root, r'val.txt names c, .*must have one image, and has c.jpg and c.png')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', r'c.xml cannot be read as VOC XML \(no element found'),
        ('<annotation><object>', r'c.xml cannot be read as VOC XML'),
        ('<?xml version="1.0" encoding="utf-99"?>', r'c.xml .*unknown encoding'),
        (CAT.replace('13', 'nan'), r'c.xml cannot .*convert float NaN'),
        (CAT.replace('13', '1e999'), r'c.xml cannot .*convert float infinity'),
        (CAT.replace('<xmin>3</xmin>', ''), r"object 'cat' lacks one of xmin, ymin"),
        (CAT.replace('<name>cat</name>', ''), r'an object has no name'),
        (
            '<!DOCTYPE a [<!ENTITY b "cat">]><annotation>&b;</annotation>',
            r'XML \(it has a DOCTYPE, which',
        ),
        (CAT.replace('13', 'x' * 1000), r"string to float: 'x{150,180}\.\.\.\): mend"),
        (
            CAT.replace('cat', 'a\nb'),
            r"c.xml gives the name 'a\\nb', which is not text of one line: mend",
        ),
        (
            CAT.replace('13', '1e300'),
            r'c.xml gives the box .* is not four finite',
        ),
        (
            SIZE.replace('40', '1e300') + CAT,
            r'c.xml gives the size .*, which is not two positive numbers',
        ),
        (
            '<annotation>' + '<a>' * 100_000,
            r'c.xml cannot be read as VOC XML',
        ),
    ],
    ids=[
        'empty',
        'cut',
        'encoding',
        'nan',
        'infinite',
        'no corner',
        'no name',
        'entities',
        'long text',
        'two lines',
        'a large corner',
        'a large image',
        'deep',
    ],
)
def test_faulty_xml_stops(root: Path, content: str, message: str) -> None:
    if content.endswith('</object>'):
        content = f'<annotation>{content}{SIZE}</annotation>'
    (root / 'Annotations' / 'c.xml').write_text(content)

    _stops(root, message)


def test_entities_are_found_in_utf_16(root: Path) -> None:
    text = '<!DOCTYPE a [<!ENTITY b "cat">]><annotation>&b;</annotation>'
    (root / 'Annotations' / 'c.xml').write_text(text, encoding='utf-16')

    _stops(root, r'XML \(it has a DOCTYPE, which')


def test_missing_files_stop(root: Path) -> None:
    (root / 'Annotations' / 'c.xml').unlink()
    _stops(root, r'c.jpg has no annotation file .*c.xml: restore it')

    (root / 'ImageSets' / 'Main' / 'train.txt').unlink()
    _stops(root, r'has no train split: put one in ImageSets/Main/train.txt')


@pytest.mark.skipif(BCCD is None, reason='needs the BCCD data')
def test_bccd_s_two_forms_agree(
    tmp_path: Path, objects: Callable, log: list[str]
) -> None:
    coco = read_layout(BCCD, tmp_path / 'cache')
    assert log == [f'{BCCD.resolve()} holds data in the forms coco, voc: coco is read.']
    for part in ('Annotations', 'ImageSets', 'JPEGImages'):
        (tmp_path / part).symlink_to(BCCD / part)
    voc = read_layout(tmp_path, tmp_path / 'cache')

    assert log[1:] == [
        '2 boxes without area are left out, as in BloodImage_00343.xml, '
        'BloodImage_00338.xml.'
    ]
    assert sorted(voc.classes) == sorted(coco.classes)
    for ours, theirs in (
        (voc.train, coco.train),
        (voc.val, coco.val),
        (voc.test, coco.test),
    ):
        assert ours.size == theirs.size
        # Its COCO files keep VOC's first pixel 1, and boxes of no size.
        expected = {
            f'JPEGImages/{name}': [
                (label, (x - 1, y - 1, w, h), crowd)
                for label, (x, y, w, h), crowd in boxes
                if w > 0 and h > 0
            ]
            for name, boxes in objects(theirs.ann_file).items()
        }
        assert objects(ours.ann_file) == expected
