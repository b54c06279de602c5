import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from m2det_mmdet.apis import train
from m2det_mmdet.apis.determinism import own_kernels, prepare_kernels
from m2det_mmdet.recipes.options import TrainingOptions, apply_options
from m2det_mmdet.utils.errors import M2DetError


@pytest.mark.parametrize(
    'workers', [0, pytest.param(2, marks=pytest.mark.slow)], ids=str
)
def test_two_deterministic_trainings_give_the_same_weights(
    workers: int, trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {'train_dataloader.num_workers': workers, 'train_cfg.val_interval': 9}
    states = []
    for name in ('first', 'second'):
        # What ran before in this process shall not matter.
        torch.rand(3)
        result = train(
            trained.config,
            work_dir=tmp_path / name,
            seed=5,
            deterministic=True,
            report=False,
            options=options,
        )
        states.append(torch.load(result.checkpoint, weights_only=False)['state_dict'])

    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    start = torch.load(trained.checkpoint, weights_only=False)['state_dict']
    assert not all(torch.equal(states[0][key], start[key]) for key in start)
    cfg = Config.fromfile(result.config)
    assert cfg.randomness == {'seed': 5, 'deterministic': True}
    # The process goes on with the kernels that it had.
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_seed_is_drawn_where_there_is_none() -> None:
    seeds = []
    for _ in range(2):
        cfg = Config({'env_cfg': {'cudnn_benchmark': True, 'mp_cfg': {}}})
        apply_options(cfg, TrainingOptions(deterministic=True))
        assert cfg.randomness.deterministic is True
        assert cfg.env_cfg == {'cudnn_benchmark': False, 'mp_cfg': {}}
        seeds.append(cfg.randomness.seed)

    assert all(type(seed) is int for seed in seeds)
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize(('known', 'given', 'expected'), [(3, None, 3), (3, 8, 8)])
def test_a_seed_that_is_known_stays(
    known: int, given: int | None, expected: int
) -> None:
    cfg = Config({'randomness': {'seed': known}})

    apply_options(cfg, TrainingOptions(deterministic=True, seed=given))

    assert cfg.randomness == {'seed': expected, 'deterministic': True}


@pytest.mark.parametrize('deterministic', [True, False])
def test_kernels_are_chosen_for_a_training_alone(
    deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG', raising=False)
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark

    with own_kernels():
        prepare_kernels(Config({'randomness': {'deterministic': deterministic}}))
        workspace = os.environ.get('CUBLAS_WORKSPACE_CONFIG')
        torch.use_deterministic_algorithms(True)
        cudnn.deterministic, cudnn.benchmark = True, True

    assert workspace == (':4096:8' if deterministic else None)
    assert 'CUBLAS_WORKSPACE_CONFIG' not in os.environ
    assert not torch.are_deterministic_algorithms_enabled()
    assert (cudnn.deterministic, cudnn.benchmark) == before


def test_a_workspace_that_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', ':16:8')

    with own_kernels():
        prepare_kernels(Config({'randomness': {'deterministic': True}}))
        assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':16:8'

    assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':16:8'


def test_an_operation_without_a_deterministic_kernel_is_named() -> None:
    text = 'max_unpool2d does not have a deterministic implementation, but you set ...'

    with pytest.raises(M2DetError, match='^max_unpool2d has no det'), own_kernels():
        raise RuntimeError(text)

    with pytest.raises(RuntimeError, match='out of memory'), own_kernels():
        raise RuntimeError('out of memory')
