import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

ROOT = Path(__file__).parents[2]
SMALL = ROOT / 'configs' / 'm2det' / 'm2det_r18_scenes.py'


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('training_memory')


def test_each_saved_storage_counts_once_and_parameters_do_not(
    script: ModuleType,
) -> None:
    layer = nn.Linear(8, 8, bias=False)
    x = torch.ones(4, 8, requires_grad=True)
    counter = script.SavedBytes(layer)

    with counter.counting():
        # Of the product x is kept, and the weight; of the square its input; of the
        # exponential its output.
        y = layer(x)
        z = y.square() + y[:2].square().sum() + y.exp()

    assert counter.total == 4 * (4 * 8 + 4 * 8 + 4 * 8)
    z.sum().backward()
    assert layer.weight.grad.isfinite().all()


@pytest.mark.slow
def test_memory_is_linear_in_the_batch_and_each_option_saves(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'memory.json'
    options = ['--options', 'plain', 'with_cp', 'bf16', 'with_cp+bf16']
    sizes = ['--batch-sizes', '2', '3', '4']

    script.main([str(SMALL), *options, *sizes, '--steps', '1', '--json', str(out)])

    assert "a count, not the allocator's peak" in capsys.readouterr().out
    report = json.loads(out.read_text())
    saved = {}
    for cost in report['costs']:
        saved.setdefault(cost['option'], []).append(cost['saved'])
        assert (cost['recomputed'] > 0) == ('with_cp' in cost['option'])
        # Parameters, gradients and the momentum.
        assert cost['fixed'] == report['costs'][0]['fixed']
        assert cost['by_plain'] > 0
    for two, three, four in saved.values():
        assert four - three == pytest.approx(three - two, rel=0.05)
    plain, with_cp, bf16, both = (saved[option][-1] for option in options[1:])
    assert with_cp < 0.8 * plain
    assert bf16 < 0.8 * plain
    assert both < min(with_cp, bf16)


def test_options_are_compared_turn_by_turn(script: ModuleType) -> None:
    durations = {'plain': [1, 2, 4], 'bf16': [3, 2, 8]}

    assert script._by_plain(durations, 'bf16') == 2
    assert script._by_plain(durations, 'plain') == 1
    assert script._by_plain({'bf16': [3]}, 'bf16') is None


def test_an_option_sets_what_its_keys_set(script: ModuleType) -> None:
    config = Config.fromfile(SMALL)
    config.model.neck.with_cp = config.model.backbone.with_cp = True
    config.optim_wrapper.optimizer.fused = True
    keys = script.Trainer(config, torch.device('cpu'))
    options = script.Trainer(Config.fromfile(SMALL), torch.device('cpu'))

    options.use('with_cp+fused')
    assert _settings(options) == _settings(keys)
    options.use('plain')
    assert not any(_settings(options))


def _settings(trainer: Any) -> list[bool]:
    modules = [x.with_cp for x in trainer.model.modules() if hasattr(x, 'with_cp')]
    groups = trainer.optimizer.optimizer.param_groups
    return [*modules, *(bool(group['fused']) for group in groups)]


@pytest.mark.parametrize('argv', [['--batch-sizes', '1'], ['--steps', '0']])
def test_numbers_too_small_are_refused(
    argv: list[str], script: ModuleType, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit, match='2'):
        script.main(argv)
    assert f'must be at least {int(argv[1]) + 1}' in capsys.readouterr().err
