"""Train a detector."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop, Runner, find_latest_checkpoint

from ..analysis.machine import describe_machine
from ..engine.hooks import Evaluated, ProgressHook, Step
from ..engine.loops import TimeBudgetTrainLoop
from ..engine.runner import build_runner, logged, set_work_dir
from ..utils.configs import DUMP_SUFFIX, config_name, describe, load_config
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import outside_of_redirection, prints_to, quiet_log
from ..utils.processors import warn_if_slow
from .checks import check_one_of, check_run, start_processes


@dataclass(frozen=True)
class TrainingStarted:
    """A training begins: what runs on what.

    Attributes:
        config: Name of the config.
        model: Type of the detector.
        parameters: Numbers to learn.
        device: The device that computes, as people call it.
        images: Number of images by split, ``train`` and ``val``.
        classes: Names of the classes.
        epochs: Epochs; ``None`` where iterations or minutes are counted.
        iterations: Iterations of the whole training.
        batch_size: Images a batch, of one process.
        resumed_from: Checkpoint from which it goes on, if there is one.
        work_dir: Where everything is written.
        log: The log file.
    """

    config: str
    model: str
    parameters: int
    device: str
    images: dict[str, int]
    classes: tuple[str, ...]
    epochs: int | None
    iterations: int
    batch_size: int
    resumed_from: Path | None
    work_dir: Path
    log: Path


@dataclass(frozen=True)
class TrainingResult:
    """What a training has left.

    Attributes:
        work_dir: Where everything is written.
        config: The config with all that it inherits, in the work folder; ``None`` for
            one that no file holds.
        log: The log file.
        checkpoint: The last checkpoint; ``None`` if none was written.
        best_checkpoint: That of the best validation, where the config keeps it.
        epochs: Epochs trained, with those before a resumption; ``None`` where only
            iterations are counted.
        iterations: Iterations trained, likewise.
        seconds: Duration of this call's training.
        metrics: What the last validation gave; empty without one, and in all processes
            but the first.
    """

    work_dir: Path
    config: Path | None
    log: Path
    checkpoint: Path | None
    best_checkpoint: Path | None
    epochs: int | None
    iterations: int
    seconds: float
    metrics: dict[str, float]

    @property
    def usable_checkpoint(self) -> Path | None:
        """The checkpoint to go on with: the best one where there is one."""
        return self.best_checkpoint or self.checkpoint


Event = TrainingStarted | Step | Evaluated


@our_errors()
def train(
    config: str | Path | Config,
    *,
    work_dir: str | Path | None = None,
    resume: bool | str | Path = False,
    amp: bool = False,
    amp_dtype: str | None = None,
    auto_scale_lr: bool = False,
    launcher: str = 'none',
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> TrainingResult:
    """Train the detector of a config.

    Data, classes and checkpoint are checked before the model is built. MMEngine's log
    goes to a file in the work folder, warnings to standard error.

    Args:
        config: Path or name of a config, or the config.
        work_dir: Folder of logs and checkpoints; ``work_dirs/CONFIG`` by default.
        resume: A checkpoint to go on from; ``True`` for the latest in the work folder,
            where there is one.
        amp: Whether to train in automatic mixed precision, on a GPU.
        amp_dtype: ``'float16'`` or ``'bfloat16'`` for the lower precision, which
            implies ``amp``; ``None`` for the config's, else float16.
        auto_scale_lr: Whether to scale the learning rate by the total batch size.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`TrainingStarted`, then a :class:`.Step` after each
            batch and an :class:`.Evaluated` after each validation; on rank 0.

    Raises:
        M2DetError: One sentence on what is wrong with the arguments, config, data or
            checkpoint.
    """
    quiet_log()
    check_one_of('amp_dtype', amp_dtype, ('float16', 'bfloat16'))
    cfg = load_config(config, options)
    if cfg.get('train_dataloader') is None:
        raise M2DetError(f'{describe(cfg)} has no train_dataloader: add it.')
    start_processes(cfg, launcher)
    set_work_dir(cfg, work_dir)
    if amp or amp_dtype:
        _mix_precision(cfg, amp_dtype)
    _warn_of_slow_precision(cfg)
    if auto_scale_lr:
        _enable_auto_scale_lr(cfg)
    if resume:
        _resume(cfg, resume)
    # Training may start from some of the weights; resuming needs all of them.
    datasets = check_run(
        cfg,
        ('train', 'val'),
        cfg.get('load_from'),
        complete=bool(cfg.get('resume')),
    )
    _check_batches(cfg, len(datasets['train']))
    images = {stage: len(dataset) for stage, dataset in datasets.items()}
    runner = build_runner(cfg, datasets=datasets, on_console=False)
    # The loaders have copies.
    del datasets
    last: list[Evaluated] = []
    forward = outside_of_redirection(on_event) if on_event else lambda event: None

    def report(event: Event) -> None:
        if isinstance(event, Evaluated):
            last[:] = [event]
        forward(event)

    runner.register_hook(ProgressHook(report))
    start = time.monotonic()
    with logged(runner) as log:
        if runner.rank == 0:
            report(_started(runner, images, log))
        runner.train()
    metrics = last[0].metrics if last else {}
    return _result(runner, log, time.monotonic() - start, metrics)


def _result(
    runner: Runner, log: Path, seconds: float, metrics: dict[str, float]
) -> TrainingResult:
    cfg = runner.cfg
    by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
    name = f'{config_name(cfg)}{DUMP_SUFFIX}.py' if cfg.filename else None
    return TrainingResult(
        work_dir=Path(runner.work_dir),
        config=Path(runner.work_dir, name) if name else None,
        log=log,
        checkpoint=_checkpoint(runner, 'last_ckpt'),
        best_checkpoint=_checkpoint(runner, 'best_ckpt'),
        epochs=None if by_iteration else runner.epoch,
        iterations=runner.iter,
        seconds=seconds,
        metrics=metrics,
    )


def _checkpoint(runner: Runner, key: str) -> Path | None:
    """Return a checkpoint that MMEngine's hook has written."""
    file = runner.message_hub.get_info(key, None)
    return Path(file) if file and Path(file).is_file() else None


def _started(runner: Runner, images: Mapping[str, int], log: Path) -> TrainingStarted:
    cfg, loop = runner.cfg, runner.train_loop
    dataset = loop.dataloader.dataset
    by_epoch = not isinstance(loop, (IterBasedTrainLoop, TimeBudgetTrainLoop))
    resumed = runner._resume and runner._load_from
    return TrainingStarted(
        config=config_name(cfg),
        model=runner.model_name,
        parameters=sum(parameter.numel() for parameter in runner.model.parameters()),
        device=describe_machine(next(runner.model.parameters()).device),
        images=dict(images),
        classes=tuple(getattr(dataset, 'metainfo', {}).get('classes', ())),
        epochs=loop.max_epochs if by_epoch else None,
        iterations=loop.max_iters,
        batch_size=loop.dataloader.batch_size,
        resumed_from=Path(resumed) if resumed else None,
        work_dir=Path(runner.work_dir),
        log=log,
    )


def _mix_precision(cfg: Config, dtype: str | None) -> None:
    """Train with autocast to ``dtype``; for ``None`` as the config says."""
    device = get_device()
    if device in ('cpu', 'mps'):
        raise M2DetError(
            f'amp trains on a GPU, and the best device here is {device}: leave it out.'
        )
    wrapper = cfg.optim_wrapper
    wrapper.type = 'AmpOptimWrapper'
    if dtype is not None:
        wrapper.dtype = dtype
    # The range of bfloat16 is that of float32: its gradients need no scale.
    wrapper.loss_scale = 1.0 if wrapper.get('dtype') == 'bfloat16' else 'dynamic'


def _warn_of_slow_precision(cfg: Config) -> None:
    """Log that the device is slow in the config's lower precision, if it is."""
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('type') == 'AmpOptimWrapper':
        device = torch.device(get_device())
        warn_if_slow(device, wrapper.get('dtype') or 'float16', 'mixed precision')


def _check_batches(cfg: Config, images: int) -> None:
    """Stop where an epoch would have no batch, and nothing would be trained."""
    loader = cfg.train_dataloader
    size = loader.get('batch_size') or 1
    own = math.ceil(images / get_world_size())
    if own == 0 or (loader.get('drop_last') and own < size):
        raise M2DetError(
            f'The {own} images that each process trains on make no batch of {size}: '
            f'set train_dataloader.batch_size to {max(own, 1)} or less, or add images.'
        )


def _enable_auto_scale_lr(cfg: Config) -> None:
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise M2DetError(
            f'auto_scale_lr needs auto_scale_lr.base_batch_size in {cfg.filename}: '
            'add auto_scale_lr = dict(base_batch_size=32).'
        )
    cfg.auto_scale_lr.enable = True


def _resume(cfg: Config, resume: bool | str | Path) -> None:
    """Let the run go on from a checkpoint, by default the latest of its folder."""
    checkpoint = resume
    if resume is True:
        with prints_to(quiet_log()):
            checkpoint = find_latest_checkpoint(cfg.work_dir)
        # In an empty work folder the run begins as one that is not resumed.
        if checkpoint is None:
            return
    cfg.load_from = str(checkpoint)
    cfg.resume = True
