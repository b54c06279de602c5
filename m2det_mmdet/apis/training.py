"""Train a detector."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_distributed, is_main_process
from mmengine.runner import IterBasedTrainLoop, Runner

from ..analysis.machine import describe_machine
from ..checkpoints.latest import LAST
from ..checkpoints.publishing import FORMS
from ..checkpoints.sources import check_checkpoint
from ..compat.device import training_on
from ..engine.data_workers import worker_deaths_told
from ..engine.hooks import Evaluated, ProgressHook, Step
from ..engine.hooks.finite_loss_hook import watch_losses
from ..engine.hooks.plain_names_hook import BEST
from ..engine.hooks.safetensors_hook import WRITTEN
from ..engine.interruption import interruptible
from ..engine.loops import TimeBudgetTrainLoop
from ..engine.runner import build_runner, dumped_config, logged, set_work_dir
from ..recipes.options import AUTO, TrainingOptions, apply_options
from ..utils.arguments import check_paths, texts_of
from ..utils.configs import config_name, describe, load_config
from ..utils.devices import find_device
from ..utils.errors import M2DetError, explain, our_errors
from ..utils.logs import outside_of_redirection, quiet_log
from ..utils.processes import among_processes, any_restarted, wait_for_all
from .checks import check_at_least, check_one_of, check_run, start_processes
from .determinism import own_kernels, prepare_kernels
from .own_data import DataRead, begin_run
from .rates import check_rates
from .reporting import report as write_report
from .run_folder import (
    OwnData,
    draw_images,
    is_restart,
    keep_log,
    removed_on_failure,
    resume_run,
)
from .training_settings import (
    check_batches,
    checkpoints_to_replace,
    mix_precision,
    resume_from,
    scale_lr_to_batch,
    warn_of_slow_precision,
)


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
        start: Weights that it starts from, likewise.
        left_out: The tensors that do not come from these, in words.
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
    start: str | None
    left_out: str | None
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
        report: The page that tells what the detector can and cannot do.
        weights: File of the weights alone, where a form asked for one.
        report_problem: Why there is no such page, in a sentence, where one was asked
            for.
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
    report: Path | None = None
    weights: Path | None = None
    report_problem: str | None = None

    @property
    def usable_checkpoint(self) -> Path | None:
        """The checkpoint to go on with: the best one where there is one."""
        return self.best_checkpoint or self.checkpoint


Event = DataRead | TrainingStarted | Step | Evaluated


@our_errors()
@among_processes()
def train(
    config: str | Path | Config | None = None,
    *,
    data: str | Path | None = None,
    check_images: bool = False,
    name: str | None = None,
    start: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    image_size: int | None = None,
    seed: int | None = None,
    patience: int | None = None,
    freeze: Sequence[str] = (),
    loggers: Sequence[str] = (),
    deterministic: bool = False,
    unreadable: str | None = None,
    allow_outside: bool = False,
    device: str | None = None,
    work_dir: str | Path | None = None,
    resume: bool | str | Path = False,
    force: bool = False,
    amp: bool = False,
    amp_dtype: str | None = None,
    auto_scale_lr: bool = False,
    launcher: str = 'none',
    report: bool = True,
    form: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> TrainingResult:
    """Train a detector, on the data of its config or on a folder of your own.

    Data, classes and checkpoint are checked before the model is built. MMEngine's log
    goes to a file in the work folder, warnings to standard error.

    With ``data`` the work folder is that of a run: ``config.py``, which repeats it,
    ``best.pth``, ``last.pth``, ``results.csv``, ``log.txt``, ``args.json``,
    ``check.json``, ``train_images.jpg`` and, in ``data``, annotations that are not COCO
    files already.

    Args:
        config: Path or name of a config, or the config. With ``data`` it may be left
            out: a small detector from the weights of this package is trained on a CPU,
            a large one from those of ImageNet on a GPU.
        data: A folder in COCO's, VOC's or YOLO's form, or as a labelling tool leaves
            it, or a ``data.yaml``; in place of what the config names.
        check_images: Whether each image of ``data`` is read before.
        name: Name of the run, in ``work_dirs``; that of ``data`` by default.
        start: Checkpoint or name of weights to start from. Parts of other shapes, as
            those of other classes, are left out.
        epochs: Passes over the training images; the config's schedule is scaled.
        batch_size: Images a batch; ``'auto'`` for the most that a GPU holds.
        image_size: Shorter side of the images, pixels.
        seed: Of weights, order, augmentation, and of a split that is made.
        patience: Validations without a better AP that end the training.
        freeze: Modules that do not learn, as ``backbone``.
        loggers: Of ``tensorboard``, ``wandb``, ``mlflow`` and ``csv``.
        deterministic: Whether two trainings give the same weights, on the same machine
            with the same versions; without a seed one is drawn, and is in the config of
            the work folder. Stops where a GPU has no kernel for that.
        unreadable: What becomes of images to learn from that cannot be read:
            ``'stop'`` or ``'skip'``; by default what the config says, which stops.
        allow_outside: Whether images of ``data`` may lie outside of it.
        device: ``cpu``, ``cuda``, ``cuda:1``, ...; the best there is by default.
        work_dir: Folder of logs and checkpoints; ``work_dirs/CONFIG`` by default.
        resume: A checkpoint to go on from; ``True`` for the newest in the work folder
            that can be read, where there is one. What torchrun starts once more
            (``--max-restarts``) does so by itself.
        force: Whether a new training may delete the checkpoints of an earlier one in
            its work folder; not with ``data``, and of no effect with ``resume``.
        amp: Whether to train in automatic mixed precision, on a GPU.
        amp_dtype: ``'float16'`` or ``'bfloat16'`` for the lower precision, which
            implies ``amp``; ``None`` for the config's, else float16.
        auto_scale_lr: Whether to scale the learning rate by the total batch size.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        report: Whether to write a page on the trained detector at the end,
            ``report.html`` in the work folder, as :func:`.report` does; a training of
            several processes writes none.
        form: ``'safetensors'`` to also write ``best.safetensors`` at the end, the
            weights of the best checkpoint alone, else ``last.safetensors``.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`.DataRead` where ``data`` is given, a
            :class:`TrainingStarted`, then a :class:`.Step` after each batch and an
            :class:`.Evaluated` after each validation; on rank 0.

    Raises:
        M2DetError: One sentence on what is wrong with the arguments, config, data or
            checkpoint.
        TrainingInterrupted: On Ctrl-C or SIGTERM, after the state of the training was
            kept; a :class:`KeyboardInterrupt`. A second signal ends it at once.
    """
    quiet_log()
    check_paths(data=data, work_dir=work_dir, start=start)
    changes = TrainingOptions(
        epochs=epochs,
        batch_size=batch_size,
        image_size=image_size,
        seed=seed,
        patience=patience,
        freeze=texts_of('freeze', freeze),
        loggers=texts_of('loggers', loggers),
        start=None if start is None else str(start),
        deterministic=deterministic,
        form=form,
        unreadable=unreadable,
    )
    _check_arguments(changes, amp_dtype, config, data)
    if data is None and (name or check_images or allow_outside):
        raise M2DetError(
            'name, check_images and allow_outside are for data of your own: give data, '
            'too, or a work_dir in the place of a name.'
        )
    if data is not None and force:
        raise M2DetError(
            'force deletes checkpoints of a training of a config; a run on data of '
            'your own replaces none: give another name or work_dir, or go on by '
            'resume.'
        )
    forward = outside_of_redirection(on_event) if on_event else lambda event: None
    adapt = partial(_adapt, amp=amp, amp_dtype=amp_dtype, auto_scale_lr=auto_scale_lr)
    chosen = None if device is None else find_device(device)
    with own_kernels(), training_on(chosen):
        if data is not None:
            folder = work_dir and Path(work_dir)
            own = OwnData(Path(data), name, folder, check_images, allow_outside)
            restarted = is_restart(own)
            if resume or restarted:
                given = {'config': config, 'options': options, **changes.given()}
                # What is started once more says again how the run began.
                otherwise = [x for x in given if given[x] and not restarted]
                resume = resume or restarted
                cfg = _go_on(own, otherwise, resume, adapt, launcher)
                return _train(cfg, forward, is_run=True, reported=report)
            cfg = begin_run(
                own,
                config,
                changes,
                settings=options or {},
                adapt=adapt,
                launcher=launcher,
                report=forward,
            )
            return _train_new_run(cfg, forward, reported=report)
        cfg = load_config(config, options)
        start_processes(cfg, launcher)
        resume = resume or any_restarted()
        set_work_dir(cfg, work_dir)
        apply_options(cfg, changes)
        adapt(cfg)
        replaced: list[Path] = []
        if resume:
            resume_from(cfg, resume)
        elif not cfg.get('resume'):
            replaced = checkpoints_to_replace(cfg, force=force)
        return _train(cfg, forward, is_run=False, reported=report, replaced=replaced)


def _go_on(
    own: OwnData,
    otherwise: Sequence[str],
    resume: bool | str | Path,
    adapt: Callable[[Config], None],
    launcher: str,
) -> Config:
    """Return the config of a run to go on with; arguments as of :func:`.resume_run`."""
    cfg = resume_run(own, otherwise, launcher=launcher)
    adapt(cfg)
    resume_from(cfg, resume)
    return cfg


def _adapt(
    cfg: Config, *, amp: bool, amp_dtype: str | None, auto_scale_lr: bool
) -> None:
    if amp or amp_dtype:
        mix_precision(cfg, amp_dtype)
    if auto_scale_lr or (cfg.get('auto_scale_lr') or {}).get('enable'):
        scale_lr_to_batch(cfg)


def _check_arguments(
    changes: TrainingOptions,
    amp_dtype: str | None,
    config: str | Path | Config | None,
    data: str | Path | None,
) -> None:
    check_one_of('amp_dtype', amp_dtype, ('float16', 'bfloat16'))
    check_one_of('form', changes.form, FORMS)
    check_one_of('unreadable', changes.unreadable, ('stop', 'skip'))
    if config is None and data is None:
        raise M2DetError(
            'There is nothing to train: give a config, or data of your own by --data.'
        )
    for name, lowest in (('epochs', 1), ('image_size', 32), ('patience', 1)):
        check_at_least(name, getattr(changes, name), lowest)
    if changes.seed is not None:
        check_at_least('seed', changes.seed, 0)
    if changes.start is not None:
        check_checkpoint(changes.start)
    if changes.batch_size is not None and changes.batch_size != AUTO:
        check_at_least('batch_size', changes.batch_size, 1)


def _train_new_run(
    cfg: Config, forward: Callable[[Event], None], *, reported: bool
) -> TrainingResult:
    """Train; where that fails before the first batch is done, leave no run folder."""
    steps: list[Step] = []

    def watch(event: Event) -> None:
        if isinstance(event, Step):
            steps[:] = [event]
        forward(event)

    # Of several processes only the first gets events, and it alone removes.
    is_first = is_main_process()

    def has_begun() -> bool:
        return not is_first or bool(steps)

    with removed_on_failure(Path(cfg.work_dir), has_begun):
        return _train(cfg, watch, is_run=True, reported=reported)


def _train(
    cfg: Config,
    forward: Callable[[Event], None],
    *,
    is_run: bool,
    reported: bool,
    replaced: Sequence[Path] = (),
) -> TrainingResult:
    """Train, and report what happens.

    Args:
        cfg: The config.
        forward: Gets the events.
        is_run: Whether the work folder is that of a run on own data.
        reported: Whether a page on the detector is written at the end.
        replaced: Checkpoints of an earlier training, which are deleted.
    """
    warn_of_slow_precision(cfg)
    check_rates(cfg)
    prepare_kernels(cfg)
    if cfg.get('train_dataloader') is None:
        raise M2DetError(f'{describe(cfg)} has no train_dataloader: add it.')
    # Training may start from some of the weights; resuming needs all of them.
    datasets, left_out = check_run(
        cfg,
        ('train', 'val'),
        cfg.get('load_from'),
        complete=bool(cfg.get('resume')),
    )
    check_batches(cfg, len(datasets['train']))
    images = {stage: len(dataset) for stage, dataset in datasets.items()}
    if is_run and is_main_process():
        draw_images(datasets['train'], Path(cfg.work_dir))
    # They may have read the data from disks of different speed.
    wait_for_all()
    runner = build_runner(cfg, datasets=datasets, on_console=False)
    watch_losses(runner)
    # The loaders have copies.
    del datasets
    last: list[Evaluated] = []

    def report(event: Event) -> None:
        if isinstance(event, Evaluated):
            last[:] = [event]
        forward(event)

    runner.register_hook(ProgressHook(report))
    start = time.monotonic()
    with logged(runner) as log:
        if runner.rank == 0:
            if is_run:
                log = keep_log(log, Path(cfg.work_dir))
            for path in replaced:
                path.unlink(missing_ok=True)
            report(_started(runner, images, log, left_out))
        with interruptible(), worker_deaths_told(runner):
            runner.train()
    metrics = last[0].metrics if last else {}
    result = _result(runner, log, time.monotonic() - start, metrics)
    return _with_report(cfg, result, forward) if reported else result


def _with_report(
    cfg: Config, result: TrainingResult, forward: Callable[[Event], None]
) -> TrainingResult:
    """Write the report on a training; without one the training is done anyway."""
    if is_distributed():
        # The other processes would wait for this one, or end before.
        return result
    if result.usable_checkpoint is None or cfg.get('val_dataloader') is None:
        lack = 'checkpoint' if result.usable_checkpoint is None else 'val_dataloader'
        problem = f'There is no report, for the training has no {lack}.'
        return replace(result, report_problem=problem)
    try:
        written = write_report(
            result.config or cfg,
            result.usable_checkpoint,
            out=result.work_dir / 'report.html',
            force=True,
            on_event=forward,
        )
    except KeyboardInterrupt:
        folder = result.work_dir
        problem = f'The report was interrupted: `m2det report {folder}` writes it.'
        return replace(result, report_problem=problem)
    except Exception as error:
        problem = f'There is no report: {explain(error)}'
        return replace(result, report_problem=problem)
    return replace(result, report=written.page)


def _result(
    runner: Runner, log: Path, seconds: float, metrics: dict[str, float]
) -> TrainingResult:
    cfg = runner.cfg
    by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
    return TrainingResult(
        work_dir=Path(runner.work_dir),
        config=dumped_config(cfg, runner.work_dir),
        log=log,
        checkpoint=_checkpoint(runner, 'last_ckpt', LAST),
        best_checkpoint=_checkpoint(runner, 'best_ckpt', BEST),
        epochs=None if by_iteration else runner.epoch,
        iterations=runner.iter,
        seconds=seconds,
        metrics=metrics,
        weights=_checkpoint(runner, WRITTEN, BEST),
    )


def _checkpoint(runner: Runner, key: str, name: str) -> Path | None:
    """Return a checkpoint of MMEngine's hook, by its plain name if it has one."""
    file = runner.message_hub.get_info(key, None)
    if not file or not Path(file).is_file():
        return None
    plain = Path(runner.work_dir, name)
    return plain if plain.is_file() and plain.samefile(file) else Path(file)


def _started(
    runner: Runner, images: Mapping[str, int], log: Path, left_out: str | None
) -> TrainingStarted:
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
        # PyTorch knows none where a batch sampler makes the batches.
        batch_size=cfg.train_dataloader.get('batch_size') or 1,
        resumed_from=Path(resumed) if resumed else None,
        start=cfg.get('load_from') if not resumed else None,
        left_out=left_out,
        work_dir=Path(runner.work_dir),
        log=log,
    )
