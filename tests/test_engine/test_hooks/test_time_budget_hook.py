import math
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn

from m2det_mmdet.engine import TimeBudgetHook, TrainingCostHook
from m2det_mmdet.engine.hooks import training_cost_hook
from m2det_mmdet.engine.hooks.time_budget_hook import annealing


class _Model(BaseModel):
    """Learns one number; the loss is what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor, mode: str) -> dict[str, Tensor]:
        return {'loss': (inputs * self.weight).mean()}


class _Clock:
    """A second passes whenever it is asked."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class _Rates(Hook):
    """Keeps the learning rate of each iteration."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.rates: list[float] = []

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])


def _runner(
    work_dir: Path,
    hooks: list,
    *,
    resume: bool = False,
    images: int = 4,
    param_scheduler: dict | None = None,
    **loop: object,
) -> Runner:
    inputs = [{'inputs': torch.ones(1)} for _ in range(images)]
    return Runner(
        model=_Model(),
        work_dir=str(work_dir),
        train_dataloader={
            'dataset': inputs,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'collate_fn': {'type': 'default_collate'},
            'batch_size': 1,
        },
        train_cfg={'type': 'mmdet.TimeBudgetTrainLoop', 'max_epochs': 9, **loop},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.5}},
        param_scheduler=param_scheduler,
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 1}},
        custom_hooks=hooks,
        resume=resume,
        default_scope='mmengine',
        experiment_name=f'{work_dir.name}_{resume}_{len(hooks)}_{id(hooks)}',
    )


def test_the_rate_rises_then_falls_along_half_a_cosine() -> None:
    assert annealing(0.0) == 0
    assert annealing(0.025) == pytest.approx(0.5)
    assert annealing(0.05) == 1
    # A third of the cosine's way: (1 + cos 60 degrees) / 2.
    assert annealing(0.05 + 0.95 / 3) == pytest.approx(0.75)
    assert annealing(1.0) == pytest.approx(0)
    assert annealing(1.1) == pytest.approx(0)


def test_a_training_stops_within_an_epoch_and_keeps_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingCostHook, 'clock', _Clock())
    # The clock is asked at the start, then twice an iteration: 11 seconds or more
    # have passed in the sixth.
    hook, rates = TimeBudgetHook(minutes=11 / 60), _Rates()
    runner = _runner(tmp_path, [hook, rates], images=9)

    runner.train()

    assert runner.iter == 6
    assert runner.message_hub.get_info('training_seconds') == 13
    assert runner.message_hub.get_info('training_epochs') == pytest.approx(6 / 9)
    # A process with PyTorch holds more than 50 MiB.
    assert runner.message_hub.get_info('training_peak_memory') > 50 * 2**20
    expected = [0.5 * annealing(second / 11) for second in (1, 3, 5, 7, 9, 11)]
    assert rates.rates == pytest.approx(expected)


def test_the_first_process_counts_the_time_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Another process than the first receives what that one sends.
    monkeypatch.setattr(training_cost_hook, 'broadcast', lambda sent: sent.fill_(7.0))
    hook = TrainingCostHook()
    hook._before, hook._start = 0.0, 0.0

    assert hook.seconds() == 7


def test_a_resumed_training_goes_on_from_the_time_of_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingCostHook, 'clock', _Clock())
    _runner(tmp_path, [TimeBudgetHook(minutes=0.1)], images=2, max_epochs=1).train()
    hook, rates = TimeBudgetHook(minutes=10 / 60), _Rates()
    runner = _runner(tmp_path, [hook, rates], images=2, resume=True)

    runner.train()

    # The first epoch took 5 seconds; the time is over at 10, in the third iteration.
    assert runner.iter == 2 + 2 + 1
    first = rates.rates[0]
    assert first == pytest.approx(0.5 * annealing(6 / 10))


def test_a_training_whose_time_is_over_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingCostHook, 'clock', _Clock())
    _runner(tmp_path, [TimeBudgetHook(minutes=3 / 60)], images=2).train()
    runner = _runner(tmp_path, [TimeBudgetHook(minutes=3 / 60)], resume=True)

    runner.train()

    assert runner.iter == 2


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'type': 'EpochBasedTrainLoop'}, 'cannot stop a EpochBasedTrainLoop within'),
        ({'param_scheduler': {'type': 'StepLR', 'step_size': 1}}, 'sets the learning'),
    ],
)
def test_what_the_budget_cannot_act_on_is_refused(
    settings: dict, message: str, tmp_path: Path
) -> None:
    runner = _runner(tmp_path, [TimeBudgetHook(minutes=1)], **settings)
    with pytest.raises(ValueError, match=message):
        runner.train()


@pytest.mark.parametrize('minutes', [0, -1, math.nan])
def test_a_budget_that_cannot_be_is_refused(minutes: float) -> None:
    with pytest.raises(ValueError, match='minutes must be positive, got'):
        TimeBudgetHook(minutes)
