"""Several processes train as one does."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.dist import get_rank
from torch import Tensor

from m2det_mmdet.apis import train
from m2det_mmdet.models.detectors import M2Det
from m2det_mmdet.utils.configs import load_config

# No augmentation, no chance.
PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'Resize', 'scale': (128, 128), 'keep_ratio': False},
    {'type': 'PackDetInputs'},
]
NORM = {'type': 'GN', 'num_groups': 4}
SAMPLER = {'type': 'DefaultSampler', 'shuffle': False}


@pytest.fixture
def double() -> str:
    """A detector that computes in float64, by its registered name."""

    @MODELS.register_module(force=True)
    class DoubleM2Det(M2Det):
        def __init__(self, **settings: object) -> None:
            super().__init__(**settings)
            self.double()

        def loss(self, batch_inputs: Tensor, *args: object) -> dict:
            return super().loss(batch_inputs.double(), *args)

    return 'DoubleM2Det'


def _train(
    base: str,
    model: str,
    work_dir: Path,
    *,
    batch_size: int,
    launcher: str = 'none',
    epochs: int = 2,
    accumulated: int = 1,
) -> dict[str, Tensor]:
    cfg = load_config(base)
    cfg.model.type = model
    cfg.model.backbone.norm_cfg = cfg.model.neck.norm_cfg = NORM
    cfg.train_dataloader.update(batch_size=batch_size, sampler=SAMPLER)
    cfg.train_dataloader.dataset.pipeline = PIPELINE
    cfg.optim_wrapper.optimizer.lr = 0.01
    cfg.optim_wrapper.accumulative_counts = accumulated
    # Schedules count iterations, of which accumulation needs more.
    cfg.param_scheduler = None
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.default_hooks.checkpoint.pop('save_best')
    cfg.custom_hooks = [{'type': 'FiniteLossHook'}]
    result = train(
        cfg, work_dir=work_dir, report=False, launcher=launcher, epochs=epochs
    )
    if get_rank() != 0:
        return {}
    return torch.load(result.checkpoint, weights_only=False)['state_dict']


def _difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest difference of a tensor, relative to its largest value."""
    assert one.keys() == other.keys()
    return max(
        ((one[x] - other[x]).abs().max() / other[x].abs().max().clamp(min=1e-12)).item()
        for x in one
        if one[x].is_floating_point()
    )


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_of_the_same_batch(
    run_processes: Callable,
    double: str,
    trained: SimpleNamespace,
    tmp_path: Path,
) -> None:
    def two(rank: int) -> dict:
        work_dir = tmp_path / 'two'
        settings = {'launcher': 'pytorch', 'epochs': 10, 'batch_size': 1}
        return _train(trained.config, double, work_dir, **settings)

    ended = run_processes(two)

    assert [x.code for x in ended] == [0, 0], ended
    work_dir = tmp_path / 'one'
    one = _train(trained.config, double, work_dir, epochs=10, batch_size=2)
    # Half of the batch leads elsewhere.
    half = _train(trained.config, double, tmp_path / 'half', epochs=1, batch_size=1)
    assert _difference(ended[0].result, one) <= 1e-9
    assert _difference(half, one) > 1e-3


@pytest.mark.slow
def test_accumulation_learns_what_one_batch_teaches(
    double: str, trained: SimpleNamespace, tmp_path: Path
) -> None:
    one = _train(trained.config, double, tmp_path / 'one', batch_size=2)
    halves = {'batch_size': 1, 'accumulated': 2}
    two = _train(trained.config, double, tmp_path / 'two', **halves)

    # The halves have different numbers of positives.
    assert _difference(two, one) <= 1e-9
