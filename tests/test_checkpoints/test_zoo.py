import dataclasses
import json
import runpy
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.apis import DetInferencer
from mmdet.registry import MODELS
from mmengine.runner import CheckpointLoader
from safetensors import safe_open

from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.apis import M2DetError, convert, predict
from m2det_mmdet.checkpoints.errors import CheckpointError
from m2det_mmdet.checkpoints.sources import check_checkpoint, find_checkpoint
from m2det_mmdet.checkpoints.weights import check_weights
from m2det_mmdet.checkpoints.zoo import ENTRIES, ZooEntry, find_weights
from m2det_mmdet.checkpoints.zoo.entries import EMBEDDED
from m2det_mmdet.cli import main
from m2det_mmdet.utils.configs import load_config
from m2det_mmdet.utils.files import sha256_of

ROOT = Path(__file__).parents[2]
SCENES = 'm2det_r18_scenes'
RELEASE = 'm2det_vgg_512_release'
READY = [key for key, entry in ENTRIES.items() if entry.convert_from is None]

load = CheckpointLoader.load_checkpoint


@pytest.fixture
def mine(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ZooEntry:
    """Weights named ``mine``: those of the small detector, made by the tool."""
    file = tmp_path / 'mine.safetensors'
    tool = runpy.run_path(str(ROOT / 'tools' / 'embed_weights.py'))
    with monkeypatch.context() as patch:
        patch.setattr(sys, 'argv', ['tool', trained.checkpoint, str(file)])
        tool['main']()
    entry = dataclasses.replace(
        ENTRIES[SCENES], name='mine', config=trained.config, sha256=sha256_of(file)
    )
    monkeypatch.setitem(ENTRIES, 'mine', entry)
    monkeypatch.setattr('m2det_mmdet.checkpoints.zoo.finding.EMBEDDED', tmp_path)
    return entry


@pytest.mark.parametrize('name', READY)
def test_an_entry_tells_the_truth_about_its_file(name: str) -> None:
    entry = ENTRIES[name]
    file = find_weights(name)
    with safe_open(file, framework='pt') as opened:
        meta = json.loads(opened.metadata()['dataset_meta'])

    checkpoint = load(name, 'cpu')
    model = structure_of(load_config(entry.config))

    assert check_weights(checkpoint, model, complete=True) is None
    assert entry.name == name
    assert entry.classes == ', '.join(meta['classes'])
    assert entry.size == file.stat().st_size <= 2_500_000
    assert entry.sha256 == sha256_of(file)
    assert 0 < entry.ap < 1


def test_every_file_in_the_package_is_listed() -> None:
    embedded = {x.name for x in ENTRIES.values() if not (x.url or x.convert_from)}

    assert {file.name for file in EMBEDDED.iterdir()} == {
        f'{name}.safetensors' for name in embedded
    }


@pytest.mark.parametrize('name', ['mine', 'm2det://mine'])
def test_a_name_is_a_checkpoint(
    name: str, mine: ZooEntry, trained: SimpleNamespace
) -> None:
    weights = torch.load(trained.checkpoint, weights_only=False)['state_dict']

    loaded = load(name)['state_dict']

    assert loaded['bbox_head.cls_convs.0.0.weight'].dtype == torch.float16
    for key, value in loaded.items():
        torch.testing.assert_close(value, weights[key].half(), rtol=0, atol=0)
    check_checkpoint(name)


def test_a_name_works_where_checkpoints_do(
    mine: ZooEntry, trained: SimpleNamespace, tmp_path: Path
) -> None:
    image = next((trained.scenes / 'val').iterdir())
    classes = torch.load(trained.checkpoint, weights_only=False)['meta']['dataset_meta']

    named = predict(trained.config, image, checkpoint='mine', options=BLIND).predictions
    stored = predict(trained.config, image, checkpoint=trained.checkpoint).predictions
    inferencer = DetInferencer(trained.config, 'mine', device='cpu')

    assert {*named[0].names} <= {*classes['classes']}
    assert named[0].names == stored[0].names
    assert named[0].scores == pytest.approx(stored[0].scores, abs=0.01)
    weight = inferencer.model.bbox_head.cls_convs[0][0].weight
    assert weight.dtype == torch.float32


# Classes that no annotations tell.
BLIND = {'test_dataloader.dataset.ann_file': '', 'test_dataloader.dataset.metainfo': {}}


def test_a_backbone_takes_a_name() -> None:
    settings = load_config(SCENES).model.backbone
    init_cfg = {'type': 'Pretrained', 'checkpoint': SCENES, 'prefix': 'backbone.'}
    backbone = MODELS.build({**settings, 'init_cfg': init_cfg})

    backbone.init_weights()

    expected = load(SCENES)['state_dict']['backbone.conv1.weight']
    torch.testing.assert_close(backbone.conv1.weight.data, expected.float())


def test_training_and_testing_take_a_name(
    mine: ZooEntry, trained: SimpleNamespace, tmp_path: Path
) -> None:
    work = ['--work-dir', str(tmp_path / 'work')]

    assert main(['test', trained.config, 'mine', *work]) == 0
    options = ['--cfg-options', 'load_from=mine', 'train_cfg.val_interval=9']
    assert main(['train', trained.config, *work, *options]) == 0


def test_a_file_of_that_name_wins(
    mine: ZooEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': {}}, 'mine')

    assert find_checkpoint('mine').path == 'mine'
    assert load('mine') == {'state_dict': {}}
    assert find_checkpoint('m2det://mine').path == str(tmp_path / 'mine.safetensors')


def test_converted_back_a_name_is_a_file(mine: ZooEntry, tmp_path: Path) -> None:
    # The narrow network is none of the release's: that is said of its file.
    with pytest.raises(M2DetError, match=r'mine\.safetensors was not converted'):
        convert('mine', mine.config, tmp_path / 'out.pth', to_release=True)


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('m2det_r18_scene', 'There is no checkpoint .*: did you mean m2det_r18_scenes'),
        ('m2det_r18_scenes.pth', 'did you mean m2det_r18_scenes?'),
        ('m2det_vgg_512_releas', 'There is no checkpoint .*: check the path'),
        ('m2det://m2det_r18_scene', 'There are no weights .* mean m2det_r18_scenes'),
        ('m2det://x', 'There are no weights x: there are m2det_r18_scenes, '),
        (RELEASE, r'converted first: download .*github\.com.* `m2det convert FILE '),
        (f'm2det://{RELEASE}', 'has to be converted first'),
    ],
)
def test_names_that_do_not_load_are_told(name: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        check_checkpoint(name)


def test_a_missing_checkpoint_comes_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / 'best.pth').touch()
    with pytest.raises(CheckpointError, match=r'bset.pth: did you mean best.pth\?$'):
        check_checkpoint(str(tmp_path / 'bset.pth'))


@pytest.mark.parametrize('name', ['config.py', 'data.YAML'])
def test_a_config_in_the_place_of_a_checkpoint_is_told(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=f'{name} is a config, and no checkpoint'):
        check_checkpoint(str(tmp_path / name))


def test_a_file_that_was_changed_is_refused(mine: ZooEntry, tmp_path: Path) -> None:
    file = tmp_path / 'mine.safetensors'
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    with pytest.raises(CheckpointError, match=r'of mine was refused: its SHA-256'):
        load('mine')
    file.unlink()
    with pytest.raises(CheckpointError, match=r'of mine is missing: install'):
        load('mine')


def test_weights_with_an_address_are_downloaded(
    mine: ZooEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    entry = dataclasses.replace(mine, url='https://host/folder/far.safetensors')
    monkeypatch.setitem(ENTRIES, 'mine', entry)

    def fake(url: str, path: Path, *, sha256: str, progress: bool) -> None:
        assert (url, sha256) == (entry.url, entry.sha256)
        path.parent.mkdir(parents=True)
        shutil.copy(tmp_path / 'mine.safetensors', path)

    monkeypatch.setattr('m2det_mmdet.checkpoints.zoo.finding.fetch', fake)

    expected = tmp_path / 'home' / 'hub' / 'checkpoints' / 'far.safetensors'
    assert find_weights('mine') == expected
