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


def train(
    name: str, hook: Hook, inputs: Tensor, folder: Path, accumulated: int = 1
) -> dict[str, Any]:
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
        optim_wrapper={
            'optimizer': {'type': 'SGD', 'lr': 0.5},
            'accumulative_counts': accumulated,
        },
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
        'skipped': runner.message_hub.get_info('skipped_steps', 0),
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
    for name, accumulated in (('skip', 1), ('accumulation', 3)):
        hook = FiniteLossHook()
        found[name] = train(name, hook, inputs, folder / name, accumulated)
    # That of the other process has nothing of this level.
    logs = (folder / 'skip').glob('*/*.log')
    found['log'] = next(logs).read_text() if rank == 0 else ''
    inputs[5::2] = math.nan
    hook = FiniteLossHook(max_in_a_row=2)
    found['divergence'] = train('divergence', hook, inputs, folder / 'divergence')
    (folder / f'{rank}.json').write_text(json.dumps(found))


if __name__ == '__main__':
    main(int(sys.argv[1]), Path(sys.argv[2]))
