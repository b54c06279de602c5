"""The folder of a run on own data: chosen, kept or removed, and gone on with."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmengine.config import Config
from torch.utils.data import Dataset

from ..checkpoints.latest import LAST
from ..utils.configs import load_config
from ..utils.errors import M2DetError
from ..utils.files import writing
from ..utils.first_process import in_first_process
from ..utils.images import write_picture
from ..utils.launchers import may_restart, was_restarted
from ..utils.runs import ARGUMENTS, CONFIG, PICTURE
from ..visualization.training_images import draw_training_images
from .checks import start_processes

# In a run folder, besides what it is known by.
DATA, CHECK, LOG = 'data', 'check.json', 'log.txt'
_RUNS = 'work_dirs'


@dataclass(frozen=True)
class OwnData:
    """Data to train on, and the run that is made of them.

    Attributes:
        data: The folder, or a ``data.yaml``.
        name: Name of the run; ``None`` for that of the folder.
        work_dir: The run folder, in place of ``work_dirs/NAME``.
        check_images: Whether each image is read before.
        allow_outside: Whether images may lie outside of the folder.
    """

    data: Path
    name: str | None = None
    work_dir: Path | None = None
    check_images: bool = False
    allow_outside: bool = False


def choose_folder(own: OwnData) -> Path:
    """Return the folder of a new run, which the first process chooses for all.

    Raises:
        M2DetError: In all processes, as :func:`_free_folder` in the first: the others
            would wait for it.
    """
    return Path(in_first_process(partial(_free_folder, own)))


def _free_folder(own: OwnData) -> str:
    """Return the folder of a new run: the named one, or one that is free.

    Raises:
        M2DetError: If a folder that was named holds something, or the name is a path.
    """
    if own.work_dir is None and own.name is None:
        path = own.data.resolve()
        stem = (path.parent if path.is_file() else path).name or 'data'
        names = (stem, *(f'{stem}-{number}' for number in range(2, 10_000)))
        return str(next(x for x in (Path(_RUNS, y) for y in names) if _is_free(x)))
    run = _named_folder(own)
    if not _is_free(run):
        raise M2DetError(
            f'The run folder {run} is not empty: give another name, or go on with its '
            'training by --resume.'
        )
    return str(run)


def _named_folder(own: OwnData) -> Path:
    """Return the folder of a run that the caller has named.

    Raises:
        M2DetError: If the name is a path, which could lead out of ``work_dirs``.
    """
    if own.work_dir is not None:
        return own.work_dir
    if own.name in ('', '.', '..') or Path(own.name).name != own.name:
        raise M2DetError(
            f'name must be that of one folder in {_RUNS}, got {own.name!r}: leave out '
            'slashes, or give a path by --work-dir.'
        )
    return Path(_RUNS, own.name)


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
    run = _named_folder(own)
    if not (run / CONFIG).is_file():
        raise M2DetError(f'There is no run in {run} to resume: check its name.')
    if given:
        raise M2DetError(
            f'The run in {run} goes on as it began: leave out {", ".join(given)}, or '
            f'begin another run from {run / LAST}.'
        )
    _check_same_data(run, own.data)
    cfg = load_run(run, launcher)
    start_processes(cfg, launcher)
    return cfg


def is_restart(own: OwnData) -> bool:
    """Whether torchrun has started a run once more that was begun before.

    Raises:
        M2DetError: If torchrun would start it once more, and its name is not given: the
            next start would take the next free one.
    """
    if not may_restart():
        return False
    if own.name is None and own.work_dir is None:
        raise M2DetError(
            'torchrun --max-restarts with data needs the name of the run, by which it '
            'finds it again: give --name or --work-dir.'
        )
    return was_restarted() and (_named_folder(own) / CONFIG).is_file()


def load_run(run: Path, launcher: str) -> Config:
    """Load the config of a run folder, which is its work folder."""
    cfg = load_config(run / CONFIG)
    cfg.work_dir, cfg.launcher = str(run), launcher
    return cfg


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


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
