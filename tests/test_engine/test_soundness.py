import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from m2det_mmdet.engine.soundness import is_finite, look_finite, unsound


class _Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(2, 3, 1)
        # As the mask of an attention has it.
        self.register_buffer('mask', torch.full((2, 2), -math.inf))


def _runner(several: bool = False) -> Any:
    model = _Model()
    wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1))
    wrapper.update_params(
        model.conv(model.norm(torch.randn(4, 2, 2, 2))).square().sum()
    )
    means = EMAHook()
    means.ema_model = ExponentialMovingAverage(model, update_buffers=True)
    return SimpleNamespace(
        model=model,
        hooks=[means],
        optim_wrapper=OptimWrapperDict(first=wrapper) if several else wrapper,
        message_hub=MessageHub.get_instance('soundness'),
    )


def test_a_state_of_numbers_can_be_saved() -> None:
    assert unsound(_runner()) is None


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ('place', 'name'),
    [
        (lambda x: x.model.conv.weight, 'conv.weight'),
        (lambda x: x.model.norm.running_var, 'norm.running_var'),
        (lambda x: x.hooks[0].ema_model.module.conv.bias, 'the mean of conv.bias'),
        (
            lambda x: x.optim_wrapper.optimizer.state[x.model.norm.bias]['exp_avg'],
            'exp_avg of norm.bias',
        ),
    ],
)
def test_what_is_not_finite_is_named(place: Any, name: str, value: float) -> None:
    runner = _runner()
    place(runner).data[-1] = value

    assert unsound(runner) == f'{name} is not finite'
    assert unsound(runner, alone=True) == f'{name} is not finite'


def test_the_optimizers_of_several_are_told_apart() -> None:
    runner = _runner(several=True)
    state = runner.optim_wrapper['first'].optimizer.state
    state[runner.model.conv.bias]['exp_avg_sq'][0] = math.nan

    assert unsound(runner) == 'first exp_avg_sq of conv.bias is not finite'


@pytest.mark.parametrize(
    ('skipped', 'said'), [(1, 'the last step was'), (4, 'the last 4 steps were')]
)
def test_a_state_after_a_step_left_out_is_not_saved(skipped: int, said: str) -> None:
    runner = _runner()
    runner.message_hub.update_info('skipped_in_a_row', skipped)

    assert unsound(runner) == (
        f'{said} skipped, for the loss or a gradient was not finite'
    )


def test_large_numbers_are_finite() -> None:
    runner = _runner()
    runner.model.conv.weight.data.fill_(1e30)

    assert not look_finite([runner.model.conv.weight])
    assert is_finite(runner.model.conv.weight)
    assert unsound(runner) is None


def test_types_and_empty_tensors_are_looked_at_together() -> None:
    tensors = [
        torch.ones(2),
        torch.ones(2).double(),
        torch.ones(0),
        torch.ones(1).int(),
    ]

    assert look_finite([])
    assert look_finite(tensors)
    assert not look_finite([*tensors, torch.tensor([1.0, math.nan]).half()])


def test_another_process_decides_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        'm2det_mmdet.engine.soundness.all_gather_object', lambda x: [x, 'neck.weight']
    )

    assert unsound(_runner()) == 'neck.weight is not finite'
    assert unsound(_runner(), alone=True) is None
