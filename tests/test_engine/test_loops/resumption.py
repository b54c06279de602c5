"""A toy training with everything random in it."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

IMAGES = 11


class Crash(Exception):
    """Stands for the end of a process."""


@DATASETS.register_module(force=True)
class NoisyImages(Dataset):
    """Pictures of four numbers that each library changes at random, in training."""

    metainfo = {'classes': ('a',)}

    def __init__(self, noisy: bool = True) -> None:
        self.noisy = noisy

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        noise = [random.random(), np.random.rand(), torch.rand(()).item()]
        noise = noise if self.noisy else [0.0, 0.0, 0.0]
        return {'inputs': torch.tensor([float(index), *noise], dtype=torch.float64)}


@MODELS.register_module(force=True)
class ToyDetector(BaseModel):
    """Two layers with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 1)
        ).double()

    def forward(self, inputs: list[Tensor], mode: str) -> Any:
        out = self.layers(torch.stack(inputs))
        if mode == 'loss':
            # As samplers of positives draw: on the CPU, of each library.
            shift = random.random() + np.random.rand() + torch.rand(()).item()
            return {'loss': (out - shift).square().mean()}
        return [float(x) for x in out[:, 0]]


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """Falls at first, so that the best validation is not the last."""

    def process(self, data_batch: Any, data_samples: list[float]) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return {'figure': float(np.mean(results))}


@HOOKS.register_module(force=True)
class CrashHook(Hook):
    """Ends the process before an iteration, or in a validation."""

    priority = 'LOWEST'

    def __init__(self, before_iteration: int = -1, in_validation: int = -1) -> None:
        self.before_iteration = before_iteration
        self.in_validation = in_validation

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if runner.iter == self.before_iteration:
            raise Crash

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        if runner.iter == self.in_validation:
            raise Crash


def toy_config(
    work_dir: Path,
    *,
    workers: int = 0,
    persistent: bool = False,
    seed: int | None = 42,
    by_epoch: bool = True,
    accumulated: int = 1,
    sampler: str = 'DefaultSampler',
    **checkpoint: Any,
) -> dict[str, Any]:
    """Return the settings of a training of 4 epochs of 4 batches, or as many."""
    loader = {
        'batch_size': 3,
        'num_workers': workers,
        'persistent_workers': persistent,
        'dataset': {'type': 'NoisyImages'},
        'sampler': {'type': sampler, 'shuffle': True},
    }
    test = {
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'dataset': {'type': 'NoisyImages', 'noisy': False},
    }
    train_cfg = (
        {'type': 'EpochBasedTrainLoop', 'max_epochs': 4, 'val_interval': 2}
        if by_epoch
        else {'type': 'IterBasedTrainLoop', 'max_iters': 16, 'val_interval': 8}
    )
    hook = {'by_epoch': by_epoch, 'interval': 1 if by_epoch else 4}
    return {
        'model': {'type': 'ToyDetector'},
        'work_dir': str(work_dir),
        'train_dataloader': loader,
        'val_dataloader': {**loader, **test},
        'val_evaluator': {'type': 'ToyMetric'},
        'train_cfg': train_cfg,
        'val_cfg': {},
        'optim_wrapper': {
            'optimizer': {'type': 'SGD', 'lr': 0.01, 'momentum': 0.9},
            'accumulative_counts': accumulated,
        },
        'param_scheduler': [
            {'type': 'LinearLR', 'start_factor': 0.1, 'begin': 0, 'end': 7,
             'by_epoch': False},
            {'type': 'MultiStepLR', 'milestones': [2], 'by_epoch': by_epoch},
        ],
        'default_hooks': {
            'checkpoint': {
                'type': 'CheckpointHook',
                'save_best': 'figure',
                'rule': 'less',
                'max_keep_ckpts': 2,
                **hook,
                **checkpoint,
            },
            'logger': {'type': 'LoggerHook', 'interval': 1},
        },
        'custom_hooks': [
            {'type': 'EMAHook', 'begin_iter': 3},
            {'type': 'EarlyStoppingHook', 'monitor': 'figure', 'rule': 'less',
             'patience': 50},
        ],
        'randomness': {'seed': seed},
        'default_scope': 'mmdet',
    }  # fmt: skip


def run(
    settings: dict[str, Any], *, resume: bool = False, **crash: int
) -> dict[str, Any]:
    """Train, and return the last checkpoint; or a crash before that."""
    # A run of the same second would have the messages of the one before.
    MessageHub._instance_dict.clear()
    cfg = Config(settings)
    cfg.resume = resume
    if crash:
        cfg.custom_hooks.append({'type': 'CrashHook', **crash})
    Runner.from_cfg(cfg).train()
    return last_state(Path(settings['work_dir']))


def last_state(folder: Path) -> dict[str, Any]:
    """Read the checkpoint that ``last_checkpoint`` names."""
    name = (folder / 'last_checkpoint').read_text()
    return torch.load(folder / name, weights_only=False)
