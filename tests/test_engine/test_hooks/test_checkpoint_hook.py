"""Checkpoints are written whole, before older ones go, and never of bad states."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2det_mmdet.compat import whole_files
from m2det_mmdet.utils.errors import M2DetError

from ..test_loops.resumption import last_state, run, toy_config


@HOOKS.register_module(force=True)
class SpoilHook(Hook):
    """Makes a weight NaN after some iterations."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if runner.iter >= self.iteration:
            with torch.no_grad():
                next(runner.model.parameters()).fill_(float('nan'))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix == '.pth'}


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write files, but for those that ``refused`` names, and keep what was there."""
    state: dict[str, Any] = {'refused': '', 'seen': {}}
    write = whole_files.write_whole

    def write_or_not(path: Path, content: Any) -> None:
        state['seen'].setdefault(path.name, names(path.parent))
        if path.name == state['refused']:
            raise M2DetError(f'{path} cannot be written (No space left on device).')
        write(path, content)

    monkeypatch.setattr(whole_files, 'write_whole', write_or_not)
    return state


def test_the_older_one_is_deleted_after_the_newer_is_written(
    tmp_path: Path, full_disk: dict[str, Any]
) -> None:
    run(toy_config(tmp_path, max_keep_ckpts=1, save_best=None))

    for epoch in (2, 3, 4):
        assert full_disk['seen'][f'epoch_{epoch}.pth'] == {f'epoch_{epoch - 1}.pth'}
    assert names(tmp_path) == {'epoch_4.pth'}
    assert (tmp_path / 'last_checkpoint').read_text() == 'epoch_4.pth'


def test_the_best_one_is_deleted_after_the_better_is_written(
    tmp_path: Path, full_disk: dict[str, Any]
) -> None:
    run(toy_config(tmp_path))

    best = [x for x in full_disk['seen'] if x.startswith('best_')]
    assert best == ['best_figure_epoch_2.pth', 'best_figure_epoch_4.pth']
    assert best[0] in full_disk['seen'][best[1]]
    assert best[0] not in names(tmp_path)


def test_a_full_disk_ends_the_training_and_leaves_the_last_one(
    tmp_path: Path, full_disk: dict[str, Any]
) -> None:
    full_disk['refused'] = 'epoch_3.pth'

    with pytest.raises(M2DetError) as error:
        run(toy_config(tmp_path, max_keep_ckpts=1, save_best=None))

    assert 'epoch_3.pth cannot be written (No space left' in str(error.value)
    assert str(error.value).endswith(f'The last checkpoint is {tmp_path}/epoch_2.pth.')
    assert names(tmp_path) == {'epoch_2.pth'}
    assert last_state(tmp_path)['meta']['epoch'] == 2


def test_a_full_disk_may_be_tried_again(
    tmp_path: Path, full_disk: dict[str, Any]
) -> None:
    full_disk['refused'] = 'epoch_3.pth'

    state = run(
        toy_config(tmp_path, max_keep_ckpts=1, save_best=None, on_write_error='retry')
    )

    assert names(tmp_path) == {'epoch_4.pth'}
    assert state['message_hub']['runtime_info']['keep_ckpt_ids'] == [2, 4]


@pytest.mark.parametrize('refused', ['best_figure_epoch_4.pth', 'epoch_4.pth'])
def test_what_is_not_written_is_not_the_best_or_the_last(
    tmp_path: Path, full_disk: dict[str, Any], refused: str
) -> None:
    full_disk['refused'] = refused

    run(toy_config(tmp_path, on_write_error='retry'))

    assert refused not in names(tmp_path)
    info = last_state(tmp_path)['message_hub']['runtime_info']
    for key in ('last_ckpt', 'best_ckpt'):
        assert Path(info[key]).is_file()
        assert Path(info[key]).name != refused


def test_a_state_that_is_not_finite_replaces_none(tmp_path: Path) -> None:
    settings = toy_config(tmp_path, max_keep_ckpts=1, every_iterations=1)
    cfg = Config(settings)
    cfg.custom_hooks.append({'type': 'SpoilHook', 'iteration': 9})

    Runner.from_cfg(cfg).train()

    kept = torch.load(tmp_path / 'resume.pth', weights_only=False)
    assert kept['meta']['iter'] == 9
    assert all(x.isfinite().all() for x in kept['state_dict'].values())
    assert last_state(tmp_path)['meta']['iter'] == 9
    # The one of the epoch before is no reason to forget it.
    assert names(tmp_path) >= {'epoch_2.pth', 'resume.pth'}


def test_minutes_count_from_the_last_checkpoint(
    tmp_path: Path, full_disk: dict[str, Any]
) -> None:
    run(toy_config(tmp_path, every_minutes=1e-9))

    # After each iteration, and removed by what is written at the end of the epoch.
    assert 'resume.pth' in full_disk['seen']
    assert 'resume.pth' in full_disk['seen']['epoch_1.pth']
    assert 'resume.pth' not in names(tmp_path)


def test_a_figure_that_nobody_computes_is_told(tmp_path: Path) -> None:
    with pytest.raises(M2DetError, match='save_best is coco/bbox_mAP, and .* figure:'):
        run(toy_config(tmp_path, save_best='coco/bbox_mAP', rule='greater'))


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ({'every_iterations': 0}, 'every_iterations must be positive or None, got 0'),
        ({'every_minutes': -1}, 'every_minutes must be positive or None, got -1'),
        ({'on_write_error': 'x'}, "on_write_error must be 'stop' or 'retry', got 'x'"),
    ],
)
def test_impossible_settings_are_refused(
    tmp_path: Path, setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(toy_config(tmp_path, **setting))
