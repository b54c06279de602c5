import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config

from m2det_mmdet.apis import train
from m2det_mmdet.apis.rates import check_rates
from m2det_mmdet.utils.errors import M2DetError

CONFIGS = Path(__file__).parents[2] / 'configs'


def _config(**changes: Any) -> Config:
    cfg = Config(
        {
            'optim_wrapper': {
                'type': 'OptimWrapper',
                'optimizer': {'type': 'AdamW', 'lr': 1e-3, 'betas': (0.9, 0.999)},
                'clip_grad': {'max_norm': 35, 'norm_type': math.inf},
                'paramwise_cfg': {'custom_keys': {'backbone': {'lr_mult': 0}}},
            },
            'param_scheduler': [{'type': 'LinearLR', 'start_factor': 0.1, 'begin': 0}],
        }
    )
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('_base_/schedules/*.py')))
def test_all_schedules_are_sound(path: Path) -> None:
    check_rates(Config.fromfile(path))


@pytest.mark.parametrize(
    ('key', 'value', 'said'),
    [
        ('optim_wrapper.optimizer.lr', math.nan, 'a number above 0, got nan.'),
        ('optim_wrapper.optimizer.lr', math.inf, 'a number above 0, got inf.'),
        ('optim_wrapper.optimizer.lr', 0, 'a number above 0, got 0.'),
        ('optim_wrapper.optimizer.lr', -1, 'a number above 0, got -1.'),
        ('optim_wrapper.optimizer.lr', '1e-3', "a number above 0, got '1e-3'."),
        ('optim_wrapper.optimizer.momentum', 1, 'a number from 0 to below 1, got 1.'),
        ('optim_wrapper.optimizer.weight_decay', -5e-4, 'at least 0, got -0.0005.'),
        ('optim_wrapper.clip_grad.max_norm', 0, 'a number above 0, got 0.'),
        ('optim_wrapper.clip_grad.max_norm', math.nan, 'a number above 0, got nan.'),
        ('optim_wrapper.paramwise_cfg.bias_lr_mult', -2, 'of at least 0, got -2.'),
        ('optim_wrapper.optimizer.unknown', math.inf, 'a finite number, got inf.'),
        ('param_scheduler.0.start_factor', math.nan, 'of at least 0, got nan.'),
        ('param_scheduler.0.gamma', -0.1, 'of at least 0, got -0.1.'),
    ],
)
def test_what_cannot_be_learned_with_is_named(key: str, value: Any, said: str) -> None:
    place = key.replace('.0.', '[0].')

    with pytest.raises(M2DetError) as caught:
        check_rates(_config(**{key: value}))

    assert str(caught.value).startswith(f'{place} must be ')
    assert str(caught.value).endswith(said)


def test_each_of_several_optimizers_and_betas_counts() -> None:
    wrappers = {'first': {'optimizer': {'lr': 0.1, 'betas': [0.9, 1.0]}}}

    with pytest.raises(M2DetError, match=r'optim_wrapper.first.optimizer.betas\[1\] '):
        check_rates(Config({'optim_wrapper': wrappers}))


def test_sound_settings_pass() -> None:
    check_rates(_config())
    check_rates(Config({}))


def test_a_training_at_such_a_rate_does_not_begin(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {'optim_wrapper.optimizer.lr': math.nan}

    with pytest.raises(M2DetError, match=r'^optim_wrapper.optimizer.lr must be a numb'):
        train(trained.config, work_dir=tmp_path / 'run', options=options)

    assert not (tmp_path / 'run').exists()
