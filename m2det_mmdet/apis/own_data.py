"""Makes a config and a run folder of a data folder."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from torch.utils.data import Dataset

from ..analysis.anchors import check_fit, improve
from ..analysis.machine import versions
from ..datasets.checks.images.depth import used_bits
from ..datasets.faults import Faults, Level
from ..datasets.layouts import write_folder
from ..datasets.layouts.folder import DataFolder
from ..engine.hooks.plain_names_hook import LAST
from ..recipes.loading import load_deep_images
from ..recipes.options import TrainingOptions, apply_options
from ..recipes.own_data import (
    default_config,
    default_epochs,
    fit_learning_rate,
    use_own_data,
)
from ..utils.configs import config_name, load_config
from ..utils.errors import M2DetError
from ..utils.files import write_whole, writing
from ..utils.images import write_picture
from ..visualization.training_images import draw_training_images
from .checks import start_processes
from .data_check import DataCheck, inspect_data, summarize

# In a run folder.
DATA, CONFIG, ARGUMENTS = 'data', 'config.py', 'args.json'
CHECK, LOG, PICTURE = 'check.json', 'log.txt', 'train_images.jpg'
_RUNS = 'work_dirs'
_OF_SCHEDULES = ('train_cfg', 'param_scheduler')


@dataclass(frozen=True)
class DataRead:
    """A data folder was read, and a run folder begun.

    Attributes:
        check: What is in the data, and what is wrong with them.
        run: The run folder.
        config: The config that is trained, as it was named.
        start: Weights to begin with, if any.
        epochs: Passes over the training images.
        remarks: What was made fit to the data, in sentences.
    """

    check: DataCheck
    run: Path
    config: str
    start: str | None
    epochs: int
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class OwnData:
    """Data to train on, and the run that is made of them.

    Attributes:
        data: The folder, or a ``data.yaml``.
        name: Name of the run; ``None`` for that of the folder.
        work_dir: The run folder, in place of ``work_dirs/NAME``.
        check_images: Whether each image is read before.
    """

    data: Path
    name: str | None = None
    work_dir: Path | None = None
    check_images: bool = False


def begin_run(
    own: OwnData,
    config: str | Path | Config | None,
    changes: TrainingOptions,
    *,
    settings: Mapping[str, Any],
    adapt: Callable[[Config], None],
    launcher: str,
    report: Callable[[DataRead], None],
) -> Config:
    """Check the data, and make a run folder with config and annotations.

    Args:
        own: The data.
        config: What to train; ``None`` for what suits the device.
        changes: What the caller changes of it.
        settings: Settings of the config to override, by their dotted keys.
        adapt: Changes the config at last, before it is written.
        launcher: As of :func:`.start_processes`.
        report: Gets a :class:`DataRead`, in the first process.

    Returns:
        The config that is in the folder; its work folder is that one.

    Raises:
        M2DetError: If the folder is in use, the data cannot be used, or the config not
            with them.
    """
    fit = config is None
    if config is None:
        config, start = default_config()
        changes = replace(changes, start=changes.start or start)
    cfg = load_config(config, settings)
    start_processes(cfg, launcher)
    run, is_first = _choose_folder(own), is_main_process()
    with removed_on_failure(run, lambda: not is_first):
        try:
            if is_first:
                report(_fill(run, own, cfg, changes, settings, adapt, fit=fit))
        finally:
            barrier()
        return _load(run, launcher)


def resume_run(own: OwnData, given: Sequence[str], *, launcher: str) -> Config:
    """Return the config of a run that was begun before.

    Args:
        own: The data and the name of the run.
        given: Names of options by which the caller wants something otherwise.
        launcher: As of :func:`.start_processes`.

    Raises:
        M2DetError: If there is no such run, it was not named, or it cannot be had
            otherwise.
    """
    if own.name is None and own.work_dir is None:
        raise M2DetError(
            'resume with data needs the name of the run: give --name or --work-dir.'
        )
    run = own.work_dir or Path(_RUNS, own.name)
    if not (run / CONFIG).is_file():
        raise M2DetError(f'There is no run in {run} to resume: check its name.')
    if given:
        raise M2DetError(
            f'The run in {run} goes on as it began: leave out {", ".join(given)}, or '
            f'begin another run from {run / LAST}.'
        )
    _check_same_data(run, own.data)
    cfg = _load(run, launcher)
    start_processes(cfg, launcher)
    return cfg


def _check_same_data(run: Path, data: Path) -> None:
    """Stop where a run was begun with other data, as far as it is known."""
    try:
        known = json.loads((run / ARGUMENTS).read_text(encoding='utf-8'))
        before = Path(known['arguments']['data'])
    except (OSError, ValueError, LookupError, TypeError):
        return
    if before.resolve() != data.resolve():
        raise M2DetError(
            f'The run in {run} was begun with the data {before}, not {data}: give '
            'these, or another name.'
        )


@contextmanager
def removed_on_failure(
    run: Path, has_begun: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Leave no folder of a run that could not begin, so that its name is free.

    Args:
        run: The folder.
        has_begun: Whether it is kept nevertheless.
    """
    try:
        yield
    except BaseException:
        if not has_begun():
            shutil.rmtree(run, ignore_errors=True)
        raise


def _load(run: Path, launcher: str) -> Config:
    cfg = load_config(run / CONFIG)
    cfg.work_dir, cfg.launcher = str(run), launcher
    return cfg


def _choose_folder(own: OwnData) -> Path:
    """Return the folder of a new run, which the first process chooses for all.

    Raises:
        M2DetError: In all processes, as :func:`_free_folder` in the first: the others
            would wait for it.
    """
    chosen: list[str | M2DetError | None] = [None]
    if is_main_process():
        try:
            chosen = [_free_folder(own)]
        except M2DetError as error:
            chosen = [error]
    broadcast_object_list(chosen)
    if isinstance(chosen[0], M2DetError):
        raise chosen[0]
    return Path(chosen[0])


def _free_folder(own: OwnData) -> str:
    """Return the folder of a new run: the named one, or one that is free.

    Raises:
        M2DetError: If a folder that was named holds something.
    """
    if own.work_dir is None and own.name is None:
        path = own.data.resolve()
        stem = (path.parent if path.is_file() else path).name or 'data'
        names = (stem, *(f'{stem}-{number}' for number in range(2, 10_000)))
        return str(next(x for x in (Path(_RUNS, y) for y in names) if _is_free(x)))
    run = own.work_dir or Path(_RUNS, own.name)
    if not _is_free(run):
        raise M2DetError(
            f'The run folder {run} is not empty: give another name, or go on with its '
            'training by --resume.'
        )
    return str(run)


def _fill(
    run: Path,
    own: OwnData,
    cfg: Config,
    changes: TrainingOptions,
    settings: Mapping[str, Any],
    adapt: Callable[[Config], None],
    *,
    fit: bool,
) -> DataRead:
    """Fit a config to the data, and write all that repeats the run."""
    name, started = config_name(cfg), perf_counter()
    asked = settings.get('train_cfg.max_epochs')
    seed = changes.seed or 0
    folder, faults = inspect_data(own.data, images=own.check_images, seed=seed)
    _check_usable(own.data, faults)
    layout = write_folder(folder, run.absolute() / DATA)
    use_own_data(cfg, layout)
    if changes.epochs is None:
        epochs = asked or default_epochs(layout.train.size)
        changes = replace(changes, epochs=epochs)
    changes = replace(changes, seed=seed, start=_absolute(changes.start))
    apply_options(cfg, changes)
    remarks = [*_fit_loading(cfg, folder), *fit_learning_rate(cfg)]
    if fit:
        remarks += _fit_anchors(cfg, folder)
    check_fit(cfg, folder, faults)
    check = summarize(folder, faults, perf_counter() - started)
    # What the caller sets wins over all that was derived, but for the schedule: it was
    # scaled with what the caller sets of it, and has other units now.
    cfg.merge_from_dict(
        {
            key: value
            for key, value in settings.items()
            if key.split('.')[0] not in _OF_SCHEDULES
        }
    )
    adapt(cfg)
    write_whole(run / CONFIG, f'{cfg.pretty_text}\n')
    write_whole(run / CHECK, check.to_json())
    arguments = {'config': name, **_texts(own), **_texts(changes), 'options': settings}
    arguments['data'] = own.data.absolute()
    content = {'arguments': arguments, 'versions': versions()}
    write_whole(run / ARGUMENTS, json.dumps(content, indent=2, default=str) + '\n')
    return DataRead(
        check, run, name, cfg.get('load_from'), changes.epochs, tuple(remarks)
    )


def _absolute(start: str | None) -> str | None:
    """Name a checkpoint so that the config finds it from any folder."""
    path = Path(start or '').expanduser()
    return str(path.absolute()) if path.is_file() else start


def _texts(options: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(options).items() if value is not None}


def _fit_loading(cfg: Config, folder: DataFolder) -> list[str]:
    """Let a config read images of more than 8 bits with the bits that they use."""
    bits = used_bits(folder)
    if bits is None:
        return []
    load_deep_images(cfg, bits)
    return [f'Images of 16 bits use {bits} of them, and are read so.']


def draw_images(dataset: Dataset, run: Path) -> None:
    """Draw training images as the network sees them, into a run folder."""
    write_picture(run / PICTURE, draw_training_images(dataset))


def keep_log(log: Path, run: Path) -> Path:
    """Give the log of a run the further name ``log.txt`` in its folder, and return it.

    A resumed run has a new log; the one before is in the folder of its time. A disk
    that knows one name a file only keeps the log there, too.
    """
    name = run / LOG
    with writing(name):
        name.unlink(missing_ok=True)
    for give_name in (os.link, os.symlink):
        with suppress(OSError):
            give_name(log.absolute(), name)
            return name
    return log


def _fit_anchors(cfg: Config, folder: DataFolder) -> list[str]:
    """Give a config anchors that fit the data, where there are better ones."""
    fitted = improve(cfg, folder)
    if not fitted.settings:
        return []
    cfg.model[fitted.head].anchor_generator.update(fitted.settings)
    return [
        f'Anchors were fitted: {fitted.after.recall():.1%} of the objects have one of '
        f'IoU 0.5, before {fitted.before.recall():.1%}.'
    ]


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _check_usable(data: Path, faults: Faults) -> None:
    stops = [x for x in faults.findings.values() if x.kind.level == Level.STOP]
    if stops:
        sentences = ' '.join(finding.examples[0] for finding in stops)
        raise M2DetError(
            f'{data} cannot be trained on. {sentences} `m2det check {data}` lists all '
            'that is wrong.'
        )
