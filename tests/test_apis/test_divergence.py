from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2det_mmdet.apis import M2DetError, train
from m2det_mmdet.engine.soundness import unsound

_JUMP = 2  # epochs before it


class _RateJumpHook(Hook):
    """Raises the learning rate beyond all measure, and asks what could be saved."""

    priority = 'LOWEST'
    unsound: list[str | None]

    def before_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        if runner.epoch >= _JUMP:
            for group in runner.optim_wrapper.param_groups:
                group['lr'] = 1e30

    def after_train_epoch(self, runner: Runner) -> None:
        self.unsound.append(unsound(runner))


def test_a_training_that_diverges_names_the_last_good_checkpoint(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    HOOKS.register_module(name='RateJumpHook', module=_RateJumpHook, force=True)
    _RateJumpHook.unsound = []
    options = {
        'custom_hooks': [
            {'type': 'RateJumpHook'},
            {'type': 'FiniteLossHook', 'max_in_a_row': 3},
        ],
        'train_cfg.max_epochs': 9,
        'train_cfg.val_interval': 9,
    }

    with pytest.raises(M2DetError) as caught:
        train(trained.config, work_dir=tmp_path, options=options)

    # Two batches an epoch: the fifth step diverges, the next three are left out.
    assert 'after 8 iterations, and the last 3 steps could not' in str(caught.value)
    good = tmp_path / f'epoch_{_JUMP}.pth'
    assert str(caught.value).endswith(f'; the last good checkpoint is {good}.')
    state = torch.load(good, weights_only=False)['state_dict']
    assert all(x.isfinite().all() for x in state.values())
    assert _RateJumpHook.unsound == [
        *([None] * _JUMP),
        'the last step was skipped, for the loss or a gradient was not finite',
    ]
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.count('is left out') == 3
    assert f'{trained.scenes}/train/' in log
