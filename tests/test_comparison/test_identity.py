import json
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from m2det_mmdet.comparison.identity import data_identity
from m2det_mmdet.recipes.error import RecipeError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with an image to train on, which is one to test on too."""
    folder = tmp_path / 'data'
    (folder / 'images').mkdir(parents=True)
    (folder / 'images' / 'a.jpg').write_bytes(b'123')
    annotations = {'images': [{'id': 1, 'file_name': 'a.jpg'}]}
    (folder / 'all.json').write_text(json.dumps(annotations))
    return folder


def _config(data: Path, **metric: object) -> Config:
    dataset = {
        'data_root': str(data),
        'ann_file': 'all.json',
        'data_prefix': {'img': 'images'},
    }
    loader = {'dataset': {'type': 'RepeatDataset', 'dataset': dataset}}
    return Config(
        {
            'train_dataloader': loader,
            'test_dataloader': loader,
            'test_evaluator': [{'type': 'CocoMetric', **metric}],
        }
    )


def test_data_that_move_stay_the_same(data: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(data, tmp_path / 'moved')

    before, after = (data_identity(_config(x), {}) for x in (data, moved))

    assert before == after
    assert before.keys() == {'train', 'test'}
    assert before['train'][0].keys() == {'annotations', 'images'}


def test_another_image_or_annotation_makes_other_data(data: Path) -> None:
    before = data_identity(_config(data), {})['train'][0]
    (data / 'images' / 'a.jpg').write_bytes(b'1234')
    larger = data_identity(_config(data), {})['train'][0]
    (data / 'all.json').write_text('{"images": [{"file_name": "b.jpg"}]}')
    other = data_identity(_config(data), {})['train'][0]

    assert larger['annotations'] == before['annotations']
    assert larger['images'] != before['images']
    assert other['annotations'] != before['annotations']
    assert other['images'] not in (before['images'], larger['images'])


def test_annotations_of_the_metric_alone_count(data: Path) -> None:
    own = data / 'own.json'
    own.write_text('{}')
    same = data_identity(_config(data, ann_file=str(data / 'all.json')), {})
    other = data_identity(_config(data, ann_file=str(own)), {})

    assert 'evaluate' not in same
    assert [digests.keys() for digests in other['evaluate']] == [{'annotations'}]


def test_what_is_known_is_not_read_again(data: Path) -> None:
    known = {}
    found = data_identity(_config(data), known)
    shutil.rmtree(data)

    assert data_identity(_config(data), known) == found
    with pytest.raises(RecipeError, match=r'all.json cannot be read \(No such fi'):
        data_identity(_config(data), {})


def test_annotations_that_are_no_json_count_by_their_content(data: Path) -> None:
    (data / 'all.json').write_text('a\nb\n')
    before = data_identity(_config(data), {})
    (data / 'all.json').write_text('a\n')

    assert data_identity(_config(data), {}) != before
