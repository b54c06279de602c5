from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from m2det_mmdet.engine.hooks import FreezeHook
from m2det_mmdet.utils.errors import M2DetError

LOOPS = {
    'epochs': {'by_epoch': True, 'max_epochs': 2, 'val_interval': 1},
    'iterations': {'by_epoch': False, 'max_iters': 4, 'val_interval': 2},
}


class Detector(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.head = nn.Linear(2, 1)

    def forward(self, inputs: Tensor, mode: str) -> dict | list:
        found = self.head(self.backbone(inputs))
        return {'loss': found.sum()} if mode == 'loss' else [found]


@pytest.fixture
def runner() -> SimpleNamespace:
    return SimpleNamespace(model=Detector())


@pytest.mark.parametrize('loop', LOOPS)
def test_frozen_weights_and_statistics_stay(loop: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Detector()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = [{'inputs': torch.rand(2) + 1} for _ in range(4)]
    runner = Runner(
        model,
        str(tmp_path),
        train_dataloader=DataLoader(data, batch_size=2),
        train_cfg=LOOPS[loop],
        # A validation sets all modules to a test.
        val_dataloader=DataLoader(data, batch_size=2),
        val_evaluator=Evaluator([]),
        val_cfg={},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 1.0}},
        default_hooks={'checkpoint': None, 'logger': None},
        custom_hooks=[FreezeHook(['backbone'])],
        default_scope='mmengine',
        log_level='ERROR',
        experiment_name=f'freeze {tmp_path}',
    )

    runner.train()

    changed = {
        name
        for name, value in model.state_dict().items()
        if not value.equal(before[name])
    }
    assert changed == {'head.bias', 'head.weight'}


@pytest.mark.parametrize(
    ('modules', 'message'),
    [
        (
            ['neck'],
            'no module neck to freeze: it has data_preprocessor, backbone, head',
        ),
        (['backbone', 'head'], 'backbone, head frozen nothing is left to learn'),
    ],
)
def test_what_cannot_be_frozen_is_named(
    runner: SimpleNamespace, modules: list[str], message: str
) -> None:
    with pytest.raises(M2DetError, match=message):
        FreezeHook(modules).before_train(runner)
