"""Folders as labelling tools leave them: without lists, splits or usual names."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from m2det_mmdet.datasets import DatasetError
from m2det_mmdet.datasets.faults import Level

# Of 40 x 20 pixels: centre (20, 5), 8 x 6.
LINE, LINE_BOX = '1 0.5 0.25 0.2 0.3', ('dog', (16, 2, 8, 6))
XML = (
    '<annotation>{head}<size><width>40</width><height>20</height></size><object>'
    '<name>cat</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>13</xmax><ymax>9</ymax>'
    '</bndbox></object></annotation>'
)
# Pixels count from one.
XML_BOX = ('cat', (2, 3, 10, 5))
COCO_BOX = ('cat', (1, 2, 3, 4))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _xml(path: Path, head: str = '') -> None:
    _write(path, XML.format(head=head))


def _coco(path: Path, names: list[str], **changes: object) -> None:
    images = [
        {'id': index, 'file_name': name, 'width': 40, 'height': 20}
        for index, name in enumerate(names, start=1)
    ]
    box = {'category_id': 1, 'bbox': [1, 2, 3, 4], 'area': 12, 'iscrowd': 0}
    content = {
        'images': images,
        'annotations': [{'id': x['id'], 'image_id': x['id'], **box} for x in images],
        'categories': [{'id': 1, 'name': 'cat'}],
        **changes,
    }
    _write(path, json.dumps(content))


def _all_boxes(found: object) -> dict[str, list[tuple]]:
    return {name: x for part in found.boxes.values() for name, x in part.items()}


@pytest.mark.parametrize(
    ('image', 'label'),
    [
        ('{}.jpg', '{}.xml'),
        ('images/{}.jpg', 'annotations/{}.xml'),
        ('images/{}.JPG', 'labels/{}.xml'),
        ('JPEGImages/{}.png', 'Annotations/{}.xml'),
        ('cam 1/day/{}.jpg', 'cam 1/day/{}.xml'),
        ('pictures/x/{}.jpg', 'xml/{}.xml'),
    ],
)
def test_images_and_xml_anywhere_are_paired(
    tmp_path: Path, write_scene: Callable, read: Callable, image: str, label: str
) -> None:
    for name in ('a', 'b.c', 'ä d'):
        write_scene(tmp_path / image.format(name))
        _xml(tmp_path / label.format(name))
    found = read(tmp_path)

    assert found.folder.kind == 'voc'
    assert found.folder.classes == ('cat',)
    names = [image.format(name) for name in ('a', 'b.c', 'ä d')]
    assert _all_boxes(found) == {name: [XML_BOX] for name in names}
    assert {x: len(boxes) for x, boxes in found.boxes.items()} == {'train': 2, 'val': 1}
    assert found.counts == {'split-made': 1}
    assert found.folder.split_seed == 0


@pytest.mark.parametrize(
    ('image', 'label'),
    [
        ('{}/{}.jpg', '{}/{}.xml'),
        ('images/{}/{}.jpg', 'annotations/{}/{}.xml'),
    ],
)
@pytest.mark.parametrize('val', ['val', 'valid'])
def test_folders_of_splits_with_xml_are_followed(
    tmp_path: Path,
    write_scene: Callable,
    read: Callable,
    image: str,
    label: str,
    val: str,
) -> None:
    # The same name in each split, as with numbered frames.
    for split in ('train', val, 'test'):
        write_scene(tmp_path / image.format(split, '1'))
        _xml(tmp_path / label.format(split, '1'))
    found = read(tmp_path)

    assert found.boxes == {
        name: {image.format(split, '1'): [XML_BOX]}
        for name, split in (('train', 'train'), ('val', val), ('test', 'test'))
    }
    assert (found.counts, found.folder.split_seed) == ({}, None)


@pytest.mark.parametrize('spelling', [str.capitalize, str.upper])
def test_splits_in_capitals_are_followed(
    tmp_path: Path, write_scene: Callable, read: Callable, spelling: Callable
) -> None:
    # CVAT's subsets are Train, Validation and Test.
    splits = {'train': spelling('train'), 'val': spelling('validation')}
    for split, name in splits.items():
        write_scene(tmp_path / 'coco' / 'images' / name / f'{split}.jpg')
        _coco(tmp_path / f'coco/annotations/instances_{name}.json', [f'{split}.jpg'])
        write_scene(tmp_path / 'voc' / 'JPEGImages' / f'{split}.jpg')
        _xml(tmp_path / 'voc' / 'Annotations' / f'{split}.xml')
        _write(tmp_path / 'voc' / 'ImageSets' / 'Main' / f'{name}.txt', split)
        write_scene(tmp_path / 'yolo' / 'images' / name / f'{split}.jpg')
        _write(tmp_path / 'yolo' / 'labels' / name / f'{split}.txt', LINE)
    _write(tmp_path / 'yolo' / 'classes.txt', 'cat\ndog')

    for kind, box in (('coco', COCO_BOX), ('voc', XML_BOX), ('yolo', LINE_BOX)):
        found = read(tmp_path / kind)
        assert (found.folder.kind, found.counts) == (kind, {})
        for split in splits:
            assert [*found.boxes[split].values()] == [[box]]
            assert [Path(name).stem for name in found.boxes[split]] == [split]


def test_xml_of_other_names_are_paired_by_what_they_say(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'abc':
        write_scene(tmp_path / f'{name}.jpg')
    _xml(tmp_path / '1.xml', '<filename>a.jpg</filename>')
    _xml(tmp_path / '2.xml', '<path>C:\\Users\\x\\b.jpg</path>')
    _xml(tmp_path / '3.xml', '<filename>12345678-c.jpg</filename><path>x</path>')
    # One that nothing fits, and one whose image has labels already.
    _xml(tmp_path / '4.xml', '<filename>d.jpg</filename>')
    _xml(tmp_path / '5.xml', '<filename>a.jpg</filename>')
    found = read(tmp_path)

    assert _all_boxes(found) == {f'{name}.jpg': [XML_BOX] for name in 'abc'}
    assert found.counts == {'path-foreign': 3, 'label-orphan': 2, 'split-made': 1}


def test_what_has_no_partner_is_reported(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in ('a.jpg', 'b.jpg', 'b.png', 'c.jpg', 'd.jpg', 'e.jpg'):
        write_scene(tmp_path / name)
    for name in 'abx':
        _xml(tmp_path / f'{name}.xml')
    _write(tmp_path / '.idea' / 'hidden.xml', '<project/>')
    _write(tmp_path / 'project.xml', '<project/>')
    found = read(tmp_path)

    assert sorted(_all_boxes(found)) == ['a.jpg', 'b.jpg']
    assert found.counts == {
        'label-orphan': 1,
        'labels-shared': 1,
        'image-unlabelled': 3,
        'split-made': 1,
    }


def test_images_whose_labels_are_of_another_form_are_told(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'abcde':
        write_scene(tmp_path / f'{name}.jpg')
    for name in 'ab':
        _xml(tmp_path / f'{name}.xml')
    # That of b has labels in both forms, and what is said of e are no labels.
    for name, text in (('b', LINE), ('c', LINE), ('d', LINE), ('e', 'A nice cat.')):
        _write(tmp_path / f'{name}.txt', text)
    _write(tmp_path / 'classes.txt', 'cat\ndog')
    found = read(tmp_path)

    assert sorted(_all_boxes(found)) == ['a.jpg', 'b.jpg']
    assert found.counts == {
        'forms-several': 1,
        'labels-mixed': 2,
        'image-unlabelled': 1,
        'split-made': 1,
    }


def test_images_of_a_phone_that_cannot_be_read_are_named(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'abc':
        _xml(tmp_path / 'Annotations' / f'{name}.xml')
    for name in 'ab':
        write_scene(tmp_path / 'images' / f'{name}.jpg')
    _write(tmp_path / 'images' / 'c.HEIC', 'ftypheic')

    assert read(tmp_path).faults.findings['label-orphan'].examples == [
        f'The labels {tmp_path}/Annotations/c.xml belong to images/c.HEIC, which '
        'cannot be read: convert it to JPEG.'
    ]


def test_images_outside_of_the_splits_are_left_out(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in ('train/a', 'val/b', 'c'):
        write_scene(tmp_path / f'{name}.jpg')
        _xml(tmp_path / f'{name}.xml')
    found = read(tmp_path)

    assert [*_all_boxes(found)] == ['train/a.jpg', 'val/b.jpg']
    assert found.counts == {'split-unknown': 1}


def test_labels_are_not_paired_with_the_image_of_another_split(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in ('train/a', 'val/b', 'train/c'):
        write_scene(tmp_path / f'{name}.jpg')
    for name in ('train/a', 'val/b', 'val/c'):
        _xml(tmp_path / f'{name}.xml')
    found = read(tmp_path)

    assert [*_all_boxes(found)] == ['train/a.jpg', 'val/b.jpg']
    assert found.counts == {'label-orphan': 1, 'image-unlabelled': 1}


def test_bad_xml_is_left_out_and_the_rest_is_read(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    good = XML.format(head='')
    bad = {
        'a': '',
        'b': good[:-20],
        'c': '<!DOCTYPE a><annotation/>',
        'd': good.replace('<name>cat</name>', ''),
        'e': good.replace('13', 'nan'),
        'f': good.replace('13', '1e300'),
        'g': good.replace('40', '1e300'),
        'h': '<other/>',
        # Parts of the image, which would be cut to a box without extent.
        'k': re.sub(r'>(\d+)</(.m)', r'>0.\1</\2', good.replace('13', '9')),
    }
    for name in (*bad, 'i', 'j'):
        write_scene(tmp_path / f'{name}.jpg')
        _write(tmp_path / f'{name}.xml', bad.get(name, good))
    found = read(tmp_path)

    assert _all_boxes(found) == {
        **{f'{name}.jpg': [] for name in 'defk'},
        **{f'{name}.jpg': [XML_BOX] for name in 'ij'},
    }
    assert found.counts == {'label-unreadable': 5, 'label-object': 4, 'split-made': 1}


@pytest.mark.parametrize(
    ('shape', 'box'),
    [
        # A quarter turn: 4 wide and 6 high around (20, 10); VOC counts from one.
        (
            '<robndbox><cx>20</cx><cy>10</cy><w>6</w><h>4</h>'
            '<angle>1.5707963</angle></robndbox>',
            (17, 6, 4, 6),
        ),
        (
            '<polygon><x1>3</x1><y1>4</y1><x2>13</x2><y2>5</y2><x3>8</x3><y3>9</y3>'
            '</polygon>',
            (2, 3, 10, 5),
        ),
    ],
    ids=['rotated', 'polygon'],
)
def test_the_box_around_other_shapes_is_taken(
    tmp_path: Path, write_scene: Callable, read: Callable, shape: str, box: tuple
) -> None:
    text = XML.format(head='')
    begin, end = text.index('<bndbox>'), text.index('</object>')
    for name in 'ab':
        write_scene(tmp_path / f'{name}.jpg')
        _write(tmp_path / f'{name}.xml', text[:begin] + shape + text[end:])
    found = read(tmp_path)

    assert _all_boxes(found)['a.jpg'] == [('cat', box)]
    assert found.counts == {'label-shape': 2, 'split-made': 1}


@pytest.mark.parametrize(
    ('image', 'label', 'names'),
    [
        ('{}.jpg', '{}.txt', 'classes.txt'),
        ('images/{}.jpg', 'labels/{}.txt', 'classes.txt'),
        ('images/{}.jpg', 'labels/{}.txt', 'labels/classes.txt'),
        ('images/{}.jpg', 'labels/{}.txt', 'notes.json'),
        ('data/obj_train_data/{}.jpg', 'data/obj_train_data/{}.txt', 'obj.names'),
        ('cam/{}.jpg', 'cam/{}.txt', 'cam/classes.txt'),
    ],
)
def test_images_and_text_files_anywhere_are_paired(
    tmp_path: Path,
    write_scene: Callable,
    read: Callable,
    image: str,
    label: str,
    names: str,
) -> None:
    for name in 'abc':
        write_scene(tmp_path / image.format(name))
        _write(tmp_path / label.format(name), f'{LINE}\n')
    categories = [{'id': 1, 'name': 'dog'}, {'id': 0, 'name': 'cat'}]
    text = json.dumps({'categories': categories}) if 'json' in names else 'cat\ndog\n'
    _write(tmp_path / names, text)
    found = read(tmp_path)

    assert found.folder.kind == 'yolo'
    assert found.folder.classes == ('cat', 'dog')
    assert _all_boxes(found) == {image.format(name): [LINE_BOX] for name in 'abc'}
    assert found.counts == {'split-made': 1}


@pytest.mark.parametrize(
    ('folder', 'names'),
    [('obj_{}_data', 'obj.names'), ('{}', '{}/_darknet.labels')],
    ids=['CVAT', 'Roboflow'],
)
def test_splits_of_the_form_of_darknet_are_followed(
    tmp_path: Path, write_scene: Callable, read: Callable, folder: str, names: str
) -> None:
    for split in ('train', 'valid'):
        write_scene(tmp_path / folder.format(split) / f'{split}.jpg')
        _write(tmp_path / folder.format(split) / f'{split}.txt', LINE)
        _write(tmp_path / f'{split}.txt', f'data/obj_{split}_data/{split}.jpg')
        _write(tmp_path / names.format(split), 'cat\ndog')
    found = read(tmp_path)

    assert found.boxes == {
        'train': {f'{folder.format("train")}/train.jpg': [LINE_BOX]},
        'val': {f'{folder.format("valid")}/valid.jpg': [LINE_BOX]},
    }
    assert found.counts == {}


def test_labels_of_uploads_are_paired_with_the_images_that_were_uploaded(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    # Label Studio exports labels without the images, under names of its own.
    for name in 'ab':
        write_scene(tmp_path / 'images' / f'{name}.png')
        _write(tmp_path / 'labels' / f'0123abcd-{name}.txt', LINE)
    _write(tmp_path / 'labels' / '0123abcd-lost.txt', LINE)
    _write(tmp_path / 'classes.txt', 'cat\ndog')
    found = read(tmp_path)

    assert _all_boxes(found) == {f'images/{name}.png': [LINE_BOX] for name in 'ab'}
    assert found.counts == {'path-foreign': 2, 'label-orphan': 1, 'split-made': 1}


def test_text_files_of_other_kinds_are_no_labels(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'abc':
        write_scene(tmp_path / f'{name}.jpg')
    for name in 'ab':
        _write(tmp_path / f'{name}.txt', LINE)
    _write(tmp_path / 'lost.txt', LINE)
    _write(tmp_path / 'README.txt', 'Taken in 2024 with camera number 5.')
    _write(tmp_path / 'classes.txt', 'cat\ndog')
    found = read(tmp_path)

    # An image without a file is one without objects.
    assert _all_boxes(found) == {
        'a.jpg': [LINE_BOX],
        'b.jpg': [LINE_BOX],
        'c.jpg': [],
    }
    assert found.counts == {'label-orphan': 1, 'image-unlabelled': 1, 'split-made': 1}


def test_bad_lines_are_left_out_and_the_rest_is_read(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    texts = {
        'a': f'{LINE}\n2 0.5 0.5 0.1 0.1\n0 nan 0.5 0.1 0.1\n{LINE}\n0 20 5 8 4',
        'b': LINE,
        'c': '\xff\xfe',
        'd': LINE,
        'e': '0 0.25 0.5 0.75 0.1 0.5 0.9',
        # With a score.
        'f': f'{LINE} 0.9',
    }
    for name, text in texts.items():
        write_scene(tmp_path / f'{name}.jpg')
        (tmp_path / f'{name}.txt').write_bytes(text.encode('latin-1'))
    (tmp_path / 'd.jpg').write_bytes(b'no image')
    _write(tmp_path / 'classes.txt', 'cat\ndog')
    found = read(tmp_path)

    assert _all_boxes(found) == {
        'a.jpg': [LINE_BOX] * 2,
        'b.jpg': [LINE_BOX],
        'e.jpg': [('cat', (10, 2, 20, 16))],
        'f.jpg': [],
    }
    assert found.counts == {
        'label-object': 4,
        'label-unreadable': 1,
        'size-unknown': 1,
        'label-shape': 1,
        'split-made': 1,
    }


def test_labels_without_names_of_classes_stop(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for folder in ('x', 'y'):
        write_scene(tmp_path / folder / f'{folder}.jpg')
        _write(tmp_path / folder / f'{folder}.txt', LINE)
    with pytest.raises(DatasetError, match=r'no names for the classes in classes.txt'):
        read(tmp_path)

    # labelImg's files differ where a class was added later, but not in their order.
    _write(tmp_path / 'x' / 'classes.txt', 'cat\n')
    _write(tmp_path / 'y' / 'classes.txt', 'cat\ndog\n')
    assert read(tmp_path).folder.classes == ('cat', 'dog')

    _write(tmp_path / 'x' / 'classes.txt', 'dog\n')
    with pytest.raises(DatasetError, match=r'x/classes.txt and .*y/classes.txt give'):
        read(tmp_path)


def test_a_description_is_data_too_and_may_lack_val(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'abc':
        write_scene(tmp_path / 'images' / 'train' / f'{name}.jpg')
        _write(tmp_path / 'labels' / 'train' / f'{name}.txt', LINE)
    _write(tmp_path / 'labels' / 'train' / 'lost.txt', LINE)
    text = 'train: images/train\nval: gone\ntest: lost\nnames: [cat, dog]\nnc: 3'
    _write(tmp_path / 'my.yaml', text)
    found = read(tmp_path / 'my.yaml')

    assert sorted(_all_boxes(found)) == [f'images/train/{name}.jpg' for name in 'abc']
    assert len(found.boxes['val']) == 1
    assert found.counts == {
        'split-missing': 1,
        'test-missing': 1,
        'names-count': 1,
        'label-orphan': 1,
        'split-made': 1,
    }


def test_key_points_that_the_description_does_not_name_are_told_and_left_out(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'ab':
        write_scene(tmp_path / f'{name}.jpg')
        _write(tmp_path / f'{name}.txt', f'{LINE} 0.45 0.2 2 0.5 0.25 2')
    _write(tmp_path / 'classes.txt', 'cat\ndog')
    found = read(tmp_path)

    assert _all_boxes(found)['a.jpg'] == [LINE_BOX]
    assert found.counts == {'key-points': 1, 'label-shape': 2, 'split-made': 1}


@pytest.mark.parametrize(
    ('ann_file', 'image'),
    [
        ('annotations/instances_default.json', 'images/default/{}'),
        ('annotations/instances_default.json', 'images/{}'),
        ('result.json', 'images/{}'),
        ('_annotations.coco.json', '{}'),
        ('labels.json', 'data/{}'),
        ('export-7.json', 'pictures/{}'),
    ],
)
def test_one_coco_file_for_all_images_is_split(
    tmp_path: Path, write_scene: Callable, read: Callable, ann_file: str, image: str
) -> None:
    names = ['a.jpg', 'b.jpg', 'c.jpg']
    for name in names:
        write_scene(tmp_path / image.format(name))
    _coco(tmp_path / ann_file, names)
    _write(tmp_path / 'notes.json', '{"info": 1}')
    found = read(tmp_path)

    boxes = {Path(name).name: x for name, x in _all_boxes(found).items()}
    assert boxes == {name: [COCO_BOX] for name in names}
    assert {x: len(boxes) for x, boxes in found.boxes.items()} == {'train': 2, 'val': 1}
    # A folder of no usual name is found by the names of the images.
    moved = {'path-foreign': 3} if 'pictures' in image else {}
    assert found.counts == {**moved, 'split-made': 1}


@pytest.mark.parametrize('name', ['{}.json', 'instances_{}.json', '{}/labels.json'])
def test_coco_files_of_splits_at_other_places_are_found(
    tmp_path: Path, write_scene: Callable, read: Callable, name: str
) -> None:
    for split in ('train', 'val'):
        write_scene(tmp_path / split / f'{split}.jpg')
        _coco(tmp_path / name.format(split), [f'{split}.jpg'])
    found = read(tmp_path)

    assert _all_boxes(found) == {'train.jpg': [COCO_BOX], 'val.jpg': [COCO_BOX]}
    assert found.folder.parts['val'].ann_file == tmp_path / name.format('val')
    assert found.counts == {}


@pytest.mark.parametrize('size', [{}, {'width': None, 'height': 0}, {'width': 40}])
def test_images_without_a_size_get_that_of_their_file(
    tmp_path: Path, write_scene: Callable, read: Callable, size: dict
) -> None:
    write_scene(tmp_path / 'images' / 'a.jpg')
    write_scene(tmp_path / 'images' / 'deeper' / 'b.jpg')
    _write(tmp_path / 'images' / 'c.jpg', 'no image')
    names = ('a.jpg', 'C:\\b.jpg', 'c.jpg', 'd.jpg')
    images = [{'id': i, 'file_name': x, **size} for i, x in enumerate(names, start=1)]
    _coco(tmp_path / 'result.json', [*names], images=images)
    found = read(tmp_path)

    read_images = [
        image
        for part in found.folder.parts.values()
        for image in part.content['images']
    ]
    assert {(x['width'], x['height']) for x in read_images} == {(40, 20)}
    assert sorted(Path(x['file_name']).name for x in read_images) == ['a.jpg', 'b.jpg']
    assert {part.ann_file for part in found.folder.parts.values()} == {None}
    assert found.counts == {
        'size-missing': 2,
        'entry-unreadable': 2,
        'orphan-image': 2,
        'path-foreign': 1,
        'split-made': 1,
    }


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_coco_files_of_other_encodings_are_read_but_not_pointed_at(
    tmp_path: Path, write_scene: Callable, read: Callable, encoding: str
) -> None:
    for split in ('train', 'val'):
        write_scene(tmp_path / split / f'{split}.jpg')
        _coco(tmp_path / 'annotations' / f'{split}.json', [f'{split}.jpg'])
    path = tmp_path / 'annotations' / 'val.json'
    path.write_text(path.read_text(), encoding=encoding)
    parts = read(tmp_path).folder.parts

    assert parts['train'].ann_file == tmp_path / 'annotations' / 'train.json'
    assert parts['val'].ann_file is None


def test_splits_with_other_classes_get_those_of_all(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for split, names in (('train', ('cat', 'cow')), ('val', ('dog', 'cat'))):
        write_scene(tmp_path / split / f'{split}.jpg')
        categories = [{'id': i, 'name': x} for i, x in enumerate(names, start=1)]
        _coco(tmp_path / f'{split}.json', [f'{split}.jpg'], categories=categories)
    found = read(tmp_path)

    assert found.folder.classes == ('cat', 'cow', 'dog')
    assert _all_boxes(found) == {
        'train.jpg': [COCO_BOX],
        'val.jpg': [('dog', COCO_BOX[1])],
    }
    # The file of train does not have all of them, that of val has others first.
    assert [part.ann_file for part in found.folder.parts.values()] == [None, None]
    assert found.counts == {'classes-differ': 1}


def test_a_split_that_cannot_be_read_is_left_out(
    tmp_path: Path, write_scene: Callable, read: Callable
) -> None:
    for name in 'abc':
        write_scene(tmp_path / 'train' / f'{name}.jpg')
    _coco(tmp_path / 'annotations/train.json', ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'])
    _write(tmp_path / 'annotations/val.json', '{"images": [')
    found = read(tmp_path)

    assert sorted(_all_boxes(found)) == ['a.jpg', 'b.jpg', 'c.jpg']
    assert found.counts == {
        'annotations-unreadable': 1,
        'image-missing': 1,
        'split-made': 1,
    }


@pytest.mark.parametrize(
    'change',
    [
        {'iscrowd': 1},
        {'bbox': [1, 2, 0, 9]},
        # Of 40 x 20 pixels.
        {'bbox': [40, 2, 5, 5]},
        {'bbox': [3, -5, 5, 5]},
    ],
)
def test_a_split_of_no_use_is_made_anew_or_stops(
    tmp_path: Path, write_scene: Callable, read: Callable, change: dict
) -> None:
    for name in 'abc':
        write_scene(tmp_path / 'train' / f'{name}.jpg')
    write_scene(tmp_path / 'val' / 'd.jpg')
    _coco(tmp_path / 'train.json', ['a.jpg', 'b.jpg', 'c.jpg'])
    _coco(tmp_path / 'val.json', ['d.jpg'])
    path = tmp_path / 'val.json'
    path.write_text(_changed(path, change))
    found = read(tmp_path)

    assert sorted(_all_boxes(found)) == ['a.jpg', 'b.jpg', 'c.jpg']
    assert {x: len(boxes) for x, boxes in found.boxes.items()} == {'train': 2, 'val': 1}
    assert found.counts == {'split-unlabelled': 1, 'split-made': 1}

    path = tmp_path / 'train.json'
    path.write_text(_changed(path, change))
    finding = read(tmp_path).faults.findings['no-objects']
    assert finding.kind.level is Level.STOP
    assert finding.examples == [
        f'The annotation file {path} has no object: label its images.'
    ]


def _changed(path: Path, change: dict) -> str:
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        annotation.update(change)
    return json.dumps(content)


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('a.json', '{"shapes": [], "imagePath": ""}', r'form of LabelMe \(a.json\)'),
        ('a.xml', '<annotations><image id="0"/>', r'form of CVAT itself \(a.xml\)'),
        ('a.csv', 'file,xmin,ymin,xmax,ymax', r'form of a CSV table'),
        ('a.tfrecord', '', r'form of TFRecord'),
    ],
)
def test_forms_that_are_not_read_are_refused_by_name(
    tmp_path: Path,
    write_scene: Callable,
    read: Callable,
    name: str,
    text: str,
    message: str,
) -> None:
    write_scene(tmp_path / 'a.jpg')
    with pytest.raises(DatasetError, match=r'holds 1 images and no labels: label them'):
        read(tmp_path)

    _write(tmp_path / name, text)
    with pytest.raises(DatasetError, match=message):
        read(tmp_path)
