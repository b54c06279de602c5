import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from m2det_mmdet.engine import WarmupStepLR


def optimizer(lr: float = 1.0) -> Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)


def rates(scheduler: WarmupStepLR, optimizer: Optimizer, steps: int) -> list[float]:
    """Learning rate of each step, as a training loop meets it."""
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return values


def test_the_rate_rises_to_the_end_of_the_warm_up_then_steps() -> None:
    sgd = optimizer(lr=8.0)
    scheduler = WarmupStepLR(
        sgd,
        warmup=4,
        start_factor=0.5,
        milestones=[5, 7],
        factors=[0.25, 0.125],
        by_epoch=False,
    )
    assert rates(scheduler, sgd, 9) == [4, 5, 6, 7, 8, 2, 2, 1, 1]


def test_without_a_warm_up_the_rate_starts_in_full() -> None:
    sgd = optimizer()
    scheduler = WarmupStepLR(sgd, milestones=[1], factors=[0.5], by_epoch=False)
    assert rates(scheduler, sgd, 3) == [1, 0.5, 0.5]


def test_a_step_may_end_the_warm_up() -> None:
    sgd = optimizer()
    scheduler = WarmupStepLR(
        sgd, warmup=2, start_factor=0, milestones=[2], factors=[0.5], by_epoch=False
    )
    assert rates(scheduler, sgd, 4) == [0, 0.5, 0.5, 0.5]


def test_every_group_keeps_its_own_rate() -> None:
    groups = [{'params': [nn.Parameter(torch.zeros(1))], 'lr': lr} for lr in (1.0, 3.0)]
    sgd = torch.optim.SGD(groups, lr=1.0)
    WarmupStepLR(sgd, warmup=2, start_factor=0.5, by_epoch=False)
    assert [group['lr'] for group in sgd.param_groups] == [0.5, 1.5]


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped() -> None:
    settings = {'warmup': 3, 'milestones': [5], 'factors': [0.1], 'by_epoch': False}
    whole = optimizer()
    expected = rates(WarmupStepLR(whole, **settings), whole, 8)
    first = optimizer()
    scheduler = WarmupStepLR(first, **settings)
    assert rates(scheduler, first, 4) == expected[:4]

    second = optimizer()
    resumed = WarmupStepLR(second, **settings)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert rates(resumed, second, 4) == expected[4:]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'factors': [0.1]}, r'one of factors for each of milestones.*\[3, 6\].*\[0.1'),
        ({'milestones': [6, 3]}, r'ascend.*milestones=\[6, 3\]'),
        ({'warmup': 4}, r'ascend from the end of the warm-up.*warmup=4'),
        ({'factors': [0.5, 2]}, r'between 0 and 1.*\[0.5, 2\]'),
        ({'start_factor': -1}, r'between 0 and 1, got -1'),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    changes: dict, message: str
) -> None:
    settings = {'warmup': 2, 'milestones': [3, 6], 'factors': [0.5, 0.1]}
    with pytest.raises(ValueError, match=message):
        WarmupStepLR(optimizer(), **{**settings, **changes})


def test_epochs_cannot_be_converted_twice() -> None:
    with pytest.raises(ValueError, match='needs by_epoch=True'):
        WarmupStepLR.build_iter_from_epoch(optimizer(), epoch_length=2, by_epoch=False)
