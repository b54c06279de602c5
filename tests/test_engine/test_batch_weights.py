"""Expected gradients are computed by hand, from one large batch."""

from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from m2det_mmdet.engine.batch_weights import BatchWeights, is_state
from m2det_mmdet.engine.step_guard import StepGuard

# Positives of a batch, and the gradient of its loss before the division by them.
PARTS = [(4, 8.0), (1, 5.0), (0, 0.0)]


class _Head(nn.Module):
    """Has a loss whose gradient is known, divided by the positives."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.num_positives = torch.zeros(())

    def loss(self, positives: int, gradient: float) -> Tensor:
        self.num_positives = torch.tensor(float(positives))
        return gradient * self.weight / max(positives, 1)


class _Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = _Head(), _Head()


def _wrapper(model: nn.Module, **kwargs: Any) -> OptimWrapper:
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    return OptimWrapper(optimizer, accumulative_counts=3, **kwargs)


def test_a_step_divides_by_the_positives_of_all_its_batches() -> None:
    head = _Head()
    wrapper = _wrapper(head)
    guard = StepGuard(wrapper, head)

    for part in PARTS:
        guard.begin()
        wrapper.update_params(head.loss(*part))

    # (8 + 5 + 0) / (4 + 1 + 0).
    assert head.weight.item() == pytest.approx(-13 / 5)
    assert guard.weights.state is None


def test_the_next_step_begins_anew() -> None:
    head = _Head()
    wrapper = _wrapper(head)
    guard = StepGuard(wrapper, head)

    for part in PARTS * 2:
        guard.begin()
        wrapper.update_params(head.loss(*part))

    assert head.weight.item() == pytest.approx(-26 / 5)


def test_a_step_without_positives_divides_by_one() -> None:
    head = _Head()
    wrapper = _wrapper(head)
    StepGuard(wrapper, head)

    for _ in range(3):
        wrapper.update_params(head.loss(0, 6.0))

    # What a loss without positives may have, if any, is the sum of all.
    assert head.weight.item() == pytest.approx(-18)


def test_gradients_are_clipped_as_those_of_the_large_batch_are() -> None:
    head = _Head()
    wrapper = _wrapper(head, clip_grad={'max_norm': 2.0})
    StepGuard(wrapper, head)

    for part in PARTS:
        wrapper.update_params(head.loss(*part))

    assert head.weight.item() == pytest.approx(-2, rel=1e-5)


def test_a_model_of_two_heads_takes_the_mean() -> None:
    model = _Two()
    wrapper = _wrapper(model)
    StepGuard(wrapper, model)

    for part in PARTS:
        wrapper.update_params(model.first.loss(*part))

    # The mean of 8 / 4, 5 / 1 and 0.
    assert model.first.weight.item() == pytest.approx(-7 / 3)


def test_auxiliary_heads_have_the_positives_of_the_head_itself() -> None:
    model = nn.Module()
    model.bbox_head, model.aux_heads = _Head(), nn.ModuleList([_Head()])
    wrapper = _wrapper(model)
    StepGuard(wrapper, model)

    for part in PARTS:
        losses = [head.loss(*part) for head in (model.bbox_head, model.aux_heads[0])]
        wrapper.update_params(sum(losses))

    assert model.bbox_head.weight.item() == pytest.approx(-13 / 5)
    assert model.aux_heads[0].weight.item() == pytest.approx(-13 / 5)


def test_a_step_goes_on_by_its_state() -> None:
    head = _Head()
    wrapper = _wrapper(head)
    guard = StepGuard(wrapper, head)
    wrapper.update_params(head.loss(*PARTS[0]))
    state, gradient = guard.weights.state, head.weight.grad
    guard.release()

    other = _Head()
    wrapper = _wrapper(other)
    wrapper._inner_count = 1
    other.weight.grad = gradient
    guard = StepGuard(wrapper, other)
    guard.weights.state = state
    for part in PARTS[1:]:
        wrapper.update_params(other.loss(*part))

    assert other.weight.item() == pytest.approx(-13 / 5)


def test_without_accumulation_nothing_is_changed() -> None:
    head = _Head()
    weights = BatchWeights(OptimWrapper(torch.optim.SGD(head.parameters(), lr=1)), head)
    loss = head.loss(*PARTS[0])

    assert weights.weigh(loss) is loss
    assert weights.state is None


@pytest.mark.parametrize(
    'strange',
    [
        [],
        {'first': 0.0, 'positives': 1.0, 'batches': 1},
        {'first': 1.0, 'positives': float('nan'), 'batches': 1},
        {'first': 1.0, 'positives': -1.0, 'batches': 1},
        {'first': 1.0, 'positives': 1.0, 'batches': 'x'},
    ],
)
def test_a_strange_state_is_none(strange: Any) -> None:
    assert is_state({'first': 1.0, 'positives': 0.0, 'batches': 1})
    assert not is_state(strange)
