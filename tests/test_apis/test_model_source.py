"""What each way of naming a model stands for."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from m2det_mmdet.apis.model_source import ModelSource, find_model
from m2det_mmdet.checkpoints.zoo import find_weights
from m2det_mmdet.utils.errors import M2DetError

SCENES = 'm2det_r18_scenes'
ONE_LEVEL = {'model.neck.num_levels': 1}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run on own data, with checkpoints that nobody loads."""
    folder = tmp_path / 'run'
    folder.mkdir()
    text = f"_base_ = 'm2det::m2det/{SCENES}.py'\nwork_dir = 'mine'\n"
    (folder / 'config.py').write_text(text)
    for name in ('best.pth', 'last.pth', 'epoch_1.pth'):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize('name', [SCENES, f'm2det://{SCENES}'])
def test_a_name_of_the_zoo_has_config_and_weights(name: str) -> None:
    found = find_model(name, options=ONE_LEVEL)

    assert (found.checkpoint, found.run) == (name, None)
    assert Path(found.cfg.filename).stem == SCENES
    assert found.cfg.model.neck.num_levels == 1


def test_a_config_needs_a_checkpoint(trained: SimpleNamespace) -> None:
    for config in (trained.config, Path(trained.config), SCENES):
        found = find_model(config, trained.checkpoint, ONE_LEVEL)
        assert found.checkpoint == trained.checkpoint
        assert found.cfg.model.neck.num_levels == 1
    given = Config.fromfile(trained.config)

    found = find_model(given, Path(trained.checkpoint), {'model.neck.num_levels': 2})

    assert found.cfg.model.neck.num_levels == 2
    assert given.model.neck.num_levels == 1
    for config in (trained.config, given, 'm2det_vgg_320', 'mmdet::ssd/ssd300_coco.py'):
        with pytest.raises(M2DetError, match='is a config, which has no weights: give'):
            find_model(config)


def test_a_run_gives_its_best_checkpoint(run: Path) -> None:
    found = find_model(run)

    assert found.checkpoint == str(run / 'best.pth')
    assert found.run == run
    assert found.cfg.work_dir == 'mine'
    (run / 'best.pth').unlink()
    assert find_model(str(run)).checkpoint == str(run / 'last.pth')
    other = find_model(run, run / 'epoch_1.pth')
    assert other.checkpoint == str(run / 'epoch_1.pth')
    assert other.run == run


def test_a_training_without_own_data_is_a_run(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    found = find_model(trained.work_dir)

    assert Path(found.cfg.filename).name == 'small_full.py'
    assert Path(found.checkpoint).name == 'best_coco_bbox_mAP_epoch_1.pth'
    # It was moved, and what is noted is a path that it had.
    moved = shutil.copytree(trained.work_dir, tmp_path / 'moved')
    for path in moved.glob('best_*'):
        path.unlink()
    assert 'moved' not in (moved / 'last_checkpoint').read_text()
    assert find_model(moved).checkpoint == str(moved / 'epoch_1.pth')


def test_the_newest_of_the_best_is_taken(run: Path) -> None:
    for name in ('best.pth', 'last.pth'):
        (run / name).unlink()
    for time, name in enumerate(('best_b.pth', 'best_a.pth'), start=1):
        (run / name).touch()
        os.utime(run / name, (time, time))

    assert find_model(run).checkpoint == str(run / 'best_a.pth')


def test_a_run_that_is_none_is_a_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(M2DetError, match=r'config\.py is the config of a run: name it'):
        find_model(run / 'config.py')
    for path in run.glob('*.pth'):
        path.unlink()
    # What it names may lie anywhere.
    (run / 'last_checkpoint').write_text('/etc/passwd')
    with pytest.raises(M2DetError, match='run has no checkpoint yet'):
        find_model(run)
    with pytest.raises(M2DetError, match=r'folder of runs: name one of them \(run\)'):
        find_model(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(M2DetError, match=r'empty is no run: it has no config\.py'):
        find_model(tmp_path / 'empty')
    for name in ('a.py', 'b.py'):
        (tmp_path / 'empty' / name).touch()
    with pytest.raises(M2DetError, match=r'more than one config \(a\.py, b\.py\)'):
        find_model(tmp_path / 'empty')


def test_a_checkpoint_alone_has_its_config(trained: SimpleNamespace) -> None:
    found = find_model(trained.checkpoint, options={'model.test_cfg.max_per_img': 3})

    expected = Config.fromfile(trained.config)
    assert found.checkpoint == trained.checkpoint
    assert found.cfg.model.neck == expected.model.neck
    assert found.cfg.model.bbox_head == expected.model.bbox_head
    assert found.cfg.model.test_cfg.max_per_img == 3
    assert found.cfg.test_dataloader == expected.test_dataloader
    assert 'custom_imports' not in found.cfg
    assert 'default_hooks' not in found.cfg


def test_a_config_in_a_checkpoint_is_called_after_its_run_or_file(run: Path) -> None:
    alone = ModelSource(Config({}), str(run.parent / 'net.pth'), None)
    in_run = ModelSource(Config({}), str(run / 'best.pth'), None)

    assert alone.name == 'net'
    assert in_run.name == 'run'
    assert find_model(SCENES).name == SCENES


def test_a_copy_of_a_file_of_the_zoo_has_the_config_of_the_zoo(tmp_path: Path) -> None:
    file = shutil.copy(find_weights(SCENES), tmp_path / 'mine.safetensors')

    assert Path(find_model(file).cfg.filename).stem == SCENES
    with open(file, 'r+b') as changed:
        changed.seek(-1, os.SEEK_END)
        changed.write(b'x')
    with pytest.raises(M2DetError, match=r'mine\.safetensors holds no config: give'):
        find_model(file)


def test_a_checkpoint_without_config_is_a_sentence(run: Path) -> None:
    torch.save({'state_dict': {'a': torch.ones(1)}}, run / 'best.pth')

    with pytest.raises(M2DetError, match=r'holds no config: name its run folder, .*ru'):
        find_model(run / 'best.pth')


def test_a_checkpoint_is_known_by_what_it_is(run: Path, tmp_path: Path) -> None:
    (tmp_path / 'picture.jpg').write_bytes(b'picture')
    with pytest.raises(M2DetError, match='cannot be read as a checkpoint'):
        find_model(tmp_path / 'picture.jpg')
    with pytest.raises(M2DetError, match='are two checkpoints'):
        find_model(run / 'last.pth', run / 'best.pth')
    with pytest.raises(M2DetError, match=r'config\.py is a config, and no checkpoint'):
        find_model(SCENES, run / 'config.py')


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        (
            'm2det_r18_scene',
            r'There is no model m2det_r18_scene: did you mean m2det_r18_scenes\?$',
        ),
        ('m2det_vgg_321', 'did you mean m2det_vgg_320'),
        ('absent.pth', r'There is no checkpoint absent\.pth'),
        ('m2det://absent', 'There are no weights absent'),
        ('m2det_vgg_512_release', 'has to be converted first'),
        ('qwertz', 'There is no model qwertz: give a run folder, a checkpoint'),
        ('', "A model is named by a text, a path or a config, got ''"),
        (None, 'got None'),
        ({'model': 1}, r"got \{'model': 1\}"),
        ('s3://a/b.pth', 'is no file on this disk: give its config, too'),
    ],
)
def test_anything_else_is_a_sentence(name: object, message: str) -> None:
    with pytest.raises(M2DetError, match=message):
        find_model(name)
