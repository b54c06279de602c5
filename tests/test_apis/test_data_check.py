"""One data set with every fault ends in one table, as text and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from m2det_mmdet.apis import check_data, data_check
from m2det_mmdet.cli import main
from m2det_mmdet.datasets.coco_form import mend_annotations
from m2det_mmdet.datasets.faults import Faults, Level
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part

Content = dict[str, Any]
SPLITS = ('train', 'val')
# All kinds of faults in labels, but for a file of another form, and for corners, beside
# which 0..1 cannot be in a split.
FAULTS = """
annotation-id-missing annotation-id-twice annotation-id-zero area-missing box-across
box-empty box-extreme box-from-polygon box-huge box-outside box-tiny box-twice
boxes-normalised category-id-twice category-twice class-not-in-train class-not-in-val
class-rare classes-alike classes-unbalanced entry-unreadable flag-unreadable id-word
image-id-twice image-in-two-splits image-listed-twice image-small images-empty
images-few iscrowd-missing labels-key-points labels-polygons labels-rotated
orphan-category orphan-image rotated-box value-converted value-dropped
"""


@pytest.fixture(autouse=True)
def reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read ``train.json`` and ``val.json`` of a folder, and no images."""

    def read(data: Path, faults: Faults, *, seed: int = 0) -> DataFolder:
        parts = {}
        for split in SPLITS:
            path = data / f'{split}.json'
            content, _ = mend_annotations(
                json.loads(path.read_text()), path.name, faults
            )
            parts[split] = Part(data / split, content)
        names = tuple(x['name'] for x in parts['train'].content['categories'])
        return DataFolder(data, 'coco', names, parts, split_seed=seed or None)

    monkeypatch.setattr(data_check, 'read_folder', read)


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
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return _write(tmp_path, _content('train'), _content('val'))


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return _write(tmp_path, *_spoiled())


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

    assert main(['check', str(spoiled), '-o', str(out)]) == 2

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


def test_many_objects_take_seconds(tmp_path: Path) -> None:
    content = _content('train', 10_000)

    found = check_data(_write(tmp_path, content, _content('val')))

    assert sum(found.objects['train'].values()) == 20_000
    assert found.seconds < 10
