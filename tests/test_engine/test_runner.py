from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from m2det_mmdet.engine.hooks.checkpoint_hook import OwnCheckpointHook
from m2det_mmdet.engine.runner import build_runner, set_work_dir
from m2det_mmdet.utils.configs import load_config


@pytest.mark.parametrize(
    ('given', 'own', 'expected'),
    [
        (None, None, str(Path('work_dirs', 'mine'))),
        (None, 'own', 'own'),
        ('given', 'own', 'given'),
    ],
)
def test_the_work_folder_is_named_after_the_config(
    given: str | None, own: str | None, expected: str, tmp_path: Path
) -> None:
    # The copy that a run leaves of a config counts as the config.
    (tmp_path / 'mine_full.py').write_text(f'work_dir = {own!r}')
    cfg = Config.fromfile(tmp_path / 'mine_full.py')

    set_work_dir(cfg, given)

    assert cfg.work_dir == expected


def test_configs_of_runs_have_work_folders_of_their_own(tmp_path: Path) -> None:
    for run in ('cells', 'cars'):
        (tmp_path / run).mkdir()
        (tmp_path / run / 'config.py').write_text('')
        cfg = Config.fromfile(tmp_path / run / 'config.py')

        set_work_dir(cfg, None)

        assert cfg.work_dir == str(Path('work_dirs', f'{run}-config'))


def test_a_config_without_a_file_has_the_work_folder_of_its_name() -> None:
    cfg = Config({})

    set_work_dir(cfg, None, 'net')

    assert cfg.work_dir == str(Path('work_dirs', 'net-config'))


def test_a_checkpoint_hook_that_is_named_by_its_class_is_ours(tmp_path: Path) -> None:
    cfg = load_config('m2det_r18_scenes')
    cfg.work_dir = str(tmp_path)
    cfg.default_hooks.checkpoint.type = CheckpointHook

    runner = build_runner(cfg, on_console=False)

    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    assert [type(hook) for hook in hooks] == [OwnCheckpointHook]


def test_a_loader_without_workers_asks_nothing_of_them(tmp_path: Path) -> None:
    cfg = load_config('m2det_r18_scenes')
    cfg.work_dir = str(tmp_path)
    settings = {'persistent_workers': True, 'prefetch_factor': 2}
    cfg.train_dataloader.update(settings, num_workers=0)
    cfg.val_dataloader.update(settings, num_workers=2)

    build_runner(cfg, on_console=False)

    assert cfg.train_dataloader.persistent_workers is False
    assert 'prefetch_factor' not in cfg.train_dataloader
    assert cfg.val_dataloader.persistent_workers is True
    assert cfg.val_dataloader.prefetch_factor == 2
