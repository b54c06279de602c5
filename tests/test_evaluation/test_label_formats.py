"""Labels that are written are read again, by our own readers among others."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.folder import read_folder
from m2det_mmdet.evaluation.label_formats import FORMATS, LabelledImage, to_labels
from m2det_mmdet.evaluation.label_formats.labels import check_names, label_paths
from m2det_mmdet.utils.errors import M2DetError

CLASSES = {7: 'traffic light', 3: 'a, "b" & <c>', 5: 'Käfer 虫'}
# Width and height, and boxes (xywh, pixels) with their classes.
IMAGES = {
    'a/x.jpg': ((40, 20), [([1.0, 2.0, 10.0, 15.0], 3), ([30.0, 0.0, 9.0, 19.0], 7)]),
    'b/x.jpg': ((30, 30), [([0.0, 0.0, 29.0, 29.0], 5)]),
    'b/ü, "é" & <i> 1.jpg': ((16, 16), [([3.0, 4.0, 5.0, 6.0], 5)]),
    'empty.png': ((16, 16), []),
}


def _entry(name: str, number: int) -> dict[str, Any]:
    (width, height), boxes = IMAGES[name]
    records = [
        {'bbox': box, 'category_id': id_, 'category_name': CLASSES[id_], 'score': 0.5}
        for box, id_ in boxes
    ]
    return {
        'file_name': name,
        'image_id': number,
        'width': width,
        'height': height,
        'records': records,
    }


def _images() -> Iterator[LabelledImage]:
    for number, name in enumerate(IMAGES, start=1):
        yield to_labels(_entry(name, number), lambda record: True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, ((width, height), _) in IMAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        # Images that are all alike would not be told apart where they are split.
        pixels = np.random.randint(0, 256, (height, width, 3), np.uint8)
        cv2.imwrite(str(tmp_path / name), pixels)
    return tmp_path


def _read(folder: Path) -> dict[str, list[tuple[str, list[float]]]]:
    """Read a data folder, as ``m2det check`` and ``m2det train`` do."""
    faults = Faults()
    read = read_folder(folder, faults)
    found = {}
    for part in read.parts.values():
        names = {item['id']: item['name'] for item in part.content['categories']}
        for image in part.content['images']:
            path = (part.images / image['file_name']).relative_to(folder)
            found[path.as_posix()] = sorted(
                (names[item['category_id']], [*item['bbox']])
                for item in part.content['annotations']
                if item['image_id'] == image['id']
            )
    return found


@pytest.mark.parametrize('form', ['coco', 'yolo', 'voc'])
def test_our_readers_find_the_same_boxes(form: str, folder: Path) -> None:
    FORMATS[form].write(folder, [*IMAGES], _images, CLASSES)

    found = _read(folder)

    assert found.keys() == IMAGES.keys()
    for name, (_, boxes) in IMAGES.items():
        expected = sorted((CLASSES[id_], box) for box, id_ in boxes)
        assert [name_ for name_, _ in found[name]] == [x for x, _ in expected]
        for (_, box), (_, truth) in zip(found[name], expected, strict=True):
            assert box == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize('form', [*FORMATS])
def test_a_format_writes_the_files_that_it_names(form: str, tmp_path: Path) -> None:
    FORMATS[form].write(tmp_path, [*IMAGES], _images, CLASSES)

    written = {
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob('*')
        if path.is_file()
    }
    own = FORMATS[form].paths([*IMAGES]).values()
    assert written == {*own, *FORMATS[form].others}


def test_coco_labels_hold_sizes_scores_and_areas(tmp_path: Path) -> None:
    FORMATS['coco'].write(tmp_path, [*IMAGES], _images, CLASSES)

    content = json.loads((tmp_path / 'labels.json').read_text())
    assert content['images'][0] == {
        'id': 1,
        'file_name': 'a/x.jpg',
        'width': 40,
        'height': 20,
    }
    assert content['annotations'][1] == {
        'id': 2,
        'image_id': 1,
        'category_id': 7,
        'bbox': [30.0, 0.0, 9.0, 19.0],
        'area': 171.0,
        'iscrowd': 0,
        'score': 0.5,
    }
    assert [x['id'] for x in content['categories']] == [7, 3, 5]


def test_yolo_labels_are_parts_of_the_image(tmp_path: Path) -> None:
    FORMATS['yolo'].write(tmp_path, [*IMAGES], _images, CLASSES)

    # The box 1..11 x 2..17 of 40 x 20 pixels, of the second class.
    line = (tmp_path / 'labels/a/x.txt').read_text().splitlines()[0]
    assert line == '1 0.15000000 0.47500000 0.25000000 0.75000000'
    assert (tmp_path / 'labels/empty.txt').read_text() == ''


def test_the_table_has_a_row_an_object(tmp_path: Path) -> None:
    FORMATS['csv'].write(tmp_path, [*IMAGES], _images, CLASSES)

    with open(tmp_path / 'labels.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[0] == {
        'file_name': 'a/x.jpg',
        'width': '40',
        'height': '20',
        'class': 'a, "b" & <c>',
        'score': '0.5',
        'xmin': '1.0',
        'ymin': '2.0',
        'xmax': '11.0',
        'ymax': '17.0',
    }


def test_labels_lie_inside_the_image_and_have_an_area() -> None:
    entry = _entry('a/x.jpg', 1)
    boxes = ([-3.0, -1.0, 10.0, 50.0], [50.0, 2.0, 9.0, 9.0], [3.0, 3.0, 0.001, 9.0])
    entry['records'] = [{**entry['records'][0], 'bbox': box} for box in boxes]

    image = to_labels(entry, lambda record: True)

    assert [box.corners for box in image.boxes] == [(0.0, 0.0, 7.0, 20.0)]
    assert to_labels(entry, lambda record: False).boxes == ()


def test_a_box_at_the_far_border_stays_in_the_image(tmp_path: Path) -> None:
    entry = _entry('a/x.jpg', 1)
    entry['records'][0]['bbox'] = [39.6, 19.6, 0.4, 0.4]
    labels = to_labels(entry, lambda record: True)

    FORMATS['voc'].write(tmp_path, ['a/x.jpg'], lambda: iter([labels]), CLASSES)

    text = (tmp_path / 'Annotations/a/x.xml').read_text()
    for side in ('<xmin>39<', '<ymin>19<', '<xmax>40<', '<ymax>20<'):
        assert side in text


def test_images_that_differ_in_the_suffix_share_no_labels() -> None:
    names = ['x.jpg', 'x.png', 'a/x.png', 'y', '.png']

    assert label_paths(names, 'labels', '.txt') == {
        'x.jpg': 'labels/x.txt',
        'a/x.png': 'labels/a/x.txt',
        'y': 'labels/y.txt',
        '.png': 'labels/.png.txt',
    }


@pytest.mark.parametrize('names', [['a', ''], [' a'], ['a\nb'], ['a', 'a']])
def test_names_of_classes_that_no_form_takes_are_refused(names: list[str]) -> None:
    with pytest.raises(M2DetError, match='cannot be written as labels'):
        check_names(names)
    check_names([*CLASSES.values()])


def test_labels_of_both_forms_lie_apart(folder: Path) -> None:
    for form in ('yolo', 'voc'):
        FORMATS[form].write(folder, [*IMAGES], _images, CLASSES)
    shutil.rmtree(folder / 'Annotations')

    assert _read(folder).keys() == IMAGES.keys()
