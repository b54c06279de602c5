"""One of two processes that train together: `python process.py RANK FOLDER`.

It writes what its hooks did to `FOLDER/RANK.json`, by training.
"""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, distributed, nn

from m2det_mmdet.engine import ChannelsLastHook, FiniteLossHook, TimeBudgetHook
from m2det_mmdet.engine.hooks.finite_loss_hook import DivergenceError


class Model(BaseModel):
    """Learns one number; the loss is what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor, mode: str) -> dict[str, Tensor]:
        return {'loss': (inputs * self.weight).mean()}


class Rates(Hook):
    """Keeps the learning rate of each iteration."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.rates: list[float] = []

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])


def clock(seconds: float) -> Callable[[], float]:
    """Make a clock on which ``seconds`` pass whenever it is asked."""
    now = [0.0]

    def ask() -> float:
        now[0] += seconds
        return now[0]

    return ask


def train(name: str, hook: Hook, inputs: Tensor, folder: Path) -> dict[str, Any]:
    rates = Rates()
    runner = Runner(
        model=Model(),
        work_dir=str(folder),
        train_dataloader={
            'dataset': [{'inputs': x} for x in inputs],
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'collate_fn': {'type': 'default_collate'},
            'batch_size': 1,
        },
        train_cfg={'type': 'mmdet.TimeBudgetTrainLoop', 'max_epochs': 1},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.5}},
        # This one puts a new wrapper around the model.
        custom_hooks=[hook, rates, ChannelsLastHook()],
        launcher='pytorch',
        cfg={'model_wrapper_cfg': {'device_ids': None}},
        default_scope='mmengine',
        experiment_name=name,
    )
    error = None
    try:
        runner.train()
    except DivergenceError as stop:
        error = str(stop)
    seconds = runner.message_hub.get_info('training_seconds', None)
    return {
        'rates': rates.rates,
        'seconds': seconds,
        'weight': str(runner.model.module.weight.item()),
        'error': error,
    }


def main(rank: int, folder: Path) -> None:
    store = distributed.FileStore(str(folder / 'store'), 2)
    distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    os.environ['LOCAL_RANK'] = str(rank)
    budget = TimeBudgetHook(minutes=5 / 60)
    budget.clock = clock(1.0 + rank)
    inputs = torch.arange(12.0)[:, None]
    found = {'budget': train('budget', budget, inputs, folder)}
    # The processes get the images in turn: this is the third one of rank 1.
    inputs[5] = math.nan
    found['divergence'] = train('divergence', FiniteLossHook(), inputs, folder)
    (folder / f'{rank}.json').write_text(json.dumps(found))


if __name__ == '__main__':
    main(int(sys.argv[1]), Path(sys.argv[2]))
