from types import SimpleNamespace

import pytest
import torch
from torch import nn

from m2det_mmdet.engine.hooks import FreezeHook
from m2det_mmdet.utils.errors import M2DetError


@pytest.fixture
def runner() -> SimpleNamespace:
    model = nn.Sequential()
    model.add_module('backbone', nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    model.add_module('head', nn.Linear(2, 1))
    return SimpleNamespace(model=model)


def test_frozen_weights_and_statistics_stay(runner: SimpleNamespace) -> None:
    hook = FreezeHook(['backbone'])
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    hook.before_train(runner)
    learning = [x for x in runner.model.parameters() if x.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1.0)
    # As a validation leaves the model, and the loop of the next epoch.
    runner.model.train()
    hook.before_train_epoch(runner)
    runner.model(torch.rand(4, 2) + 1).sum().backward()
    optimizer.step()

    changed = {
        name
        for name, value in runner.model.state_dict().items()
        if not value.equal(before[name])
    }
    assert changed == {'head.bias', 'head.weight'}
    assert runner.model.head.training


@pytest.mark.parametrize(
    ('modules', 'message'),
    [
        (['neck'], 'no module neck to freeze: it has backbone, head'),
        (['backbone', 'head'], 'backbone, head frozen nothing is left to learn'),
    ],
)
def test_what_cannot_be_frozen_is_named(
    runner: SimpleNamespace, modules: list[str], message: str
) -> None:
    with pytest.raises(M2DetError, match=message):
        FreezeHook(modules).before_train(runner)
