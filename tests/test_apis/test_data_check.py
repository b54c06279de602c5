"""One data set with every fault ends in one table, as text and as JSON."""

import json
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from m2det_mmdet.apis import check_data
from m2det_mmdet.cli import main
from m2det_mmdet.datasets.faults import Level

Content = dict[str, Any]
SPLITS = ('train', 'val')
# All kinds of faults in labels and images, but for a file of another form, and for
# corners, beside which 0..1 cannot be in a split.
FAULTS = """
depth-unused image-alpha image-animated image-cmyk image-huge image-twice
image-unreadable orientation-raw orientation-unknown size-mismatch split-same
split-similar
annotation-id-missing annotation-id-twice annotation-id-zero area-missing box-across
box-empty box-extreme box-from-polygon box-huge box-outside box-tiny box-twice
boxes-normalised category-id-twice category-twice class-not-in-train class-not-in-val
class-rare classes-alike classes-unbalanced entry-unreadable flag-unreadable id-word
image-id-twice image-in-two-splits image-listed-twice image-small images-empty
images-few iscrowd-missing labels-key-points labels-polygons labels-rotated
orphan-category orphan-image rotated-box size-missing value-converted value-dropped
"""


def _content(split: str, count: int = 120) -> Content:
    """A cat and a dog in each image of 100 x 80 pixels."""
    images = [
        {'id': id_, 'file_name': f'{split}{id_}.jpg', 'width': 100, 'height': 80}
        for id_ in range(1, count + 1)
    ]
    annotations = [
        {
            'id': 2 * image['id'] + category,
            'image_id': image['id'],
            'category_id': category,
            'bbox': [10 * category, 10, 40, 30],
            'area': 1200,
            'iscrowd': 0,
        }
        for image in images
        for category in (1, 2)
    ]
    categories = [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _spoil_values(content: Content) -> None:
    changes = (
        {'id': 0, 'area': 0, 'iscrowd': '1'},
        {'iscrowd': 'maybe', 'segmentation': 'x'},
        {'bbox': [1, 2]},
        {'bbox': [], 'segmentation': [[5, 5, 50, 5, 50, 40]]},
        {'bbox': [9, 9, 30, 30, 15]},
        {'image_id': 10**6},
        {'category_id': 10**6},
        {'id': 'x'},
        # The object after it has the same id, and that after it the same box.
        {'id': 12},
        {'bbox': [10, 10, 40, 30], 'category_id': 1, 'image_id': 6},
        {'bbox': [10, 10, 0, 5]},
        {'bbox': [500, 10, 20, 20]},
        {'bbox': [80, 10, 40, 20]},
        {'bbox': [10, 10, 3, 3]},
        {'bbox': [0, 0, 100, 80]},
        {'bbox': [10, 10, 90, 6]},
        {'keypoints': [1, 2, 2], 'attributes': {'rotation': 45}},
    )
    annotations = content['annotations']
    for annotation, change in zip(annotations, changes, strict=False):
        annotation.update(change)
    del annotations[50]['iscrowd']


def _spoil_images(content: Content) -> None:
    images = content['images']
    images[-1].update(id=images[-2]['id'])
    images[-3].update(file_name=images[-4]['file_name'])
    images[-5].update(id='last', width=20)
    images[-6].update(width=0)
    images[-7].update(file_name='../val/val1.jpg')


def _spoil_classes(train: Content, val: Content) -> None:
    names = ('Cat', 'horse', 'cow', 'dog')
    for content in (train, val):
        content['categories'] += [
            {'id': id_, 'name': name} for id_, name in enumerate(names, start=3)
        ]
    train['categories'].append({'id': 1, 'name': 'bird'})
    # The only cow.
    train['annotations'][100]['category_id'] = 5


def _spoiled() -> tuple[Content, Content]:
    train, val = _content('train'), _content('val', 5)
    _spoil_classes(train, val)
    _spoil_values(train)
    _spoil_images(train)
    val['images'].append({'id': 6, 'file_name': 'b.jpg', 'width': 100, 'height': 80})
    for annotation in val['annotations']:
        annotation['bbox'] = [0.1, 0.1, 0.5, 0.5]
    return train, val


def _write(folder: Path, train: Content, val: Content) -> Path:
    for split, content in zip(SPLITS, (train, val), strict=True):
        (folder / f'{split}.json').write_text(json.dumps(content))
        (folder / split).mkdir(exist_ok=True)
        for number, image in enumerate(content['images'], start=1000 * len(split)):
            path = folder / split / image['file_name']
            if path.parent == folder / split and not path.exists():
                _picture(number).save(path)
    return folder


def _picture(seed: int, mode: str = 'RGB', size: tuple[int, int] = (100, 80)) -> Any:
    """Coarse noise, which looks like no other."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), np.uint8)
    return Image.fromarray(noise).resize(size).convert(mode)


def _turned(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    _picture(orientation).save(path, exif=exif)


def _spoil_files(folder: Path) -> None:
    """Change images 20 to 32, whose labels say 100 x 80, and some to validate on."""
    train = [folder / 'train' / f'train{number}.jpg' for number in range(40)]
    val = [folder / 'val' / f'val{number}.jpg' for number in range(5)]
    # One that was labelled before its turn and one after it leave a third unknown.
    _turned(train[20], 6)
    _turned(train[27], 3)
    _turned_and_known(folder, train[28])
    deep = np.arange(8000, dtype=np.uint16).reshape(80, 100) % 4096
    Image.fromarray(deep).save(train[21], 'PNG')
    _picture(22, 'RGBA').save(train[22], 'PNG')
    _picture(23, 'CMYK').save(train[23])
    frames = [_picture(240 + number, 'P') for number in range(3)]
    frames[0].save(train[24], 'GIF', save_all=True, append_images=frames[1:])
    train[25].write_bytes(train[25].read_bytes()[:700])
    _picture(26, size=(60, 60)).save(train[26])
    shutil.copy(train[29], train[30])
    shutil.copy(train[31], val[2])
    Image.open(train[32]).save(val[3], quality=60)
    train[33].write_bytes(_huge_png())


def _huge_png() -> bytes:
    """Return the header of a picture of 900 million pixels, and no pixels."""
    content = b'\x89PNG\r\n\x1a\n'
    header = struct.pack('>IIBBBBB', 30_000, 30_000, 8, 2, 0, 0, 0)
    for name, data in ((b'IHDR', header), (b'IDAT', b'')):
        chunk = name + data
        content += struct.pack('>I', len(data)) + chunk
        content += struct.pack('>I', zlib.crc32(chunk))
    return content


def _turned_and_known(folder: Path, path: Path) -> None:
    """Turn an image whose labels say how large it is afterwards."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    _picture(28).save(path, exif=exif)
    file = folder / 'train.json'
    content = json.loads(file.read_text())
    content['images'][27].update(width=80, height=100)
    file.write_text(json.dumps(content))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return _write(tmp_path, _content('train'), _content('val'))


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    _write(tmp_path, *_spoiled())
    _spoil_files(tmp_path)
    return tmp_path


def _found(path: Path) -> dict[str, dict[str, Any]]:
    return {x['name']: x for x in json.loads(path.read_text())['findings']}


def test_sound_data_have_no_finding(sound: Path, capsys: pytest.CaptureFixture) -> None:
    out = sound / 'check.json'

    assert main(['check', str(sound), '-o', str(out)]) == 0

    assert capsys.readouterr().out == (
        f'{sound}, in the form of COCO: train 120 images with 240 objects, val 120 '
        'images with 240 objects.\n\n'
        '| class | train | val |\n'
        '| ----- | ----- | --- |\n'
        '|   cat |   120 | 120 |\n'
        '|   dog |   120 | 120 |\n\n'
        'Sound: nothing that costs objects or accuracy.\n'
        f'Written to {out}\n'
    )
    written = json.loads(out.read_text())
    assert 0 <= written.pop('seconds') < 60
    objects = {'images': 120, 'objects': {'cat': 120, 'dog': 120}}
    assert written == {
        'data': str(sound),
        'form': 'coco',
        'status': 0,
        'split_seed': None,
        'classes': ['cat', 'dog'],
        'splits': {'train': objects, 'val': objects},
        'findings': [],
    }


def test_all_faults_end_in_one_table(
    spoiled: Path, capsys: pytest.CaptureFixture
) -> None:
    before = (spoiled / 'train.json').read_bytes()
    out = spoiled / 'check.json'

    assert main(['check', str(spoiled), '--images', '-o', str(out)]) == 2

    text, found = capsys.readouterr().out, _found(out)
    assert sorted(found) == sorted(FAULTS.split())
    table = [line for line in text.splitlines() if line.startswith('|')]
    for name, finding in found.items():
        cells = [name, finding['level'], f'{finding["count"]}']
        assert any({*cells} <= {*line.replace('|', ' ').split()} for line in table)
        what = f'{finding["what"]}. {finding["fix"]}\n'
        assert f'{name} ({finding["count"]}): {what}' in text
        assert 0 < len(finding['examples']) <= min(3, finding['count'])
        for example in finding['examples']:
            assert f'  {example}\n' in text
    levels = [finding['level'] for finding in found.values()]
    assert levels == sorted(levels, key=['stop', 'fault', 'note'].index)
    assert text.endswith(
        f'Cannot be used: mend what has the level stop first.\nWritten to {out}\n'
    )
    assert (spoiled / 'train.json').read_bytes() == before


def test_a_split_whose_images_are_all_broken_is_made_anew_or_stops(
    tmp_path: Path,
) -> None:
    _write(tmp_path, _content('train', 10), _content('val', 2))
    for path in (tmp_path / 'val').iterdir():
        path.write_bytes(path.read_bytes()[:700])
    # Headers alone are sound.
    assert check_data(tmp_path).images == {'train': 10, 'val': 2}

    check = check_data(tmp_path, images=True)

    assert (check.images, check.split_seed) == ({'train': 8, 'val': 2}, 0)
    names = [x.kind.name for x in check.findings]
    assert {'image-unreadable', 'split-empty', 'split-made'} <= {*names}
    assert check.level is Level.FAULT

    for path in (tmp_path / 'train').iterdir():
        path.write_bytes(b'')
    assert check_data(tmp_path).level is Level.STOP


def test_the_status_is_that_of_the_worst_fault(sound: Path) -> None:
    content = _content('train')
    content['annotations'][0]['id'] = 0
    assert check_data(_write(sound, content, _content('val'))).level is Level.NOTE
    assert main(['check', str(sound)]) == 0

    content['annotations'][1]['bbox'] = [500, 1, 20, 20]
    found = check_data(_write(sound, content, _content('val')))

    assert [x.kind.name for x in found.findings] == [
        'box-outside',
        'annotation-id-zero',
    ]
    assert found.level is Level.FAULT
    assert main(['check', str(sound)]) == 1


def test_a_long_list_of_classes_is_cut_and_a_split_of_ours_is_said(
    sound: Path, capsys: pytest.CaptureFixture
) -> None:
    content = _content('train')
    content['categories'] += [{'id': id_, 'name': f'c{id_}'} for id_ in range(3, 26)]
    _write(sound, content, content)
    (sound / 'val.json').unlink()

    main(['check', str(sound), '--seed', '7'])

    text = capsys.readouterr().out
    assert 'The split was made here, with the seed 7.\n' in text
    assert '|   c20 |     0 |   0 |\n... and 5 more\n' in text
    assert '|   c21 |' not in text


def test_a_file_is_replaced_only_when_asked_to(
    sound: Path, capsys: pytest.CaptureFixture
) -> None:
    out = sound / 'check.json'
    out.write_text('mine')

    assert main(['check', str(sound), '-o', str(out)]) == 2
    assert 'check.json exists' in capsys.readouterr().err
    assert out.read_text() == 'mine'
    assert main(['check', str(sound), '-o', str(out), '--force']) == 0
    assert json.loads(out.read_text())['status'] == 0
