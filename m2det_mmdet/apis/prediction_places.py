"""Default folders of predictions: a new one each time."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

from filelock import FileLock, Timeout

from ..evaluation.prediction_log import PredictionLog
from ..utils.errors import M2DetError
from ..utils.files import writing
from ..utils.predicted import PICTURES
from ..utils.texts import shown
from .prediction_record import PredictionRecord, read_record

_PARENT, _NAME = 'work_dirs', 'predict'
_LOCK = '.predict.lock'
LOG = 'results.partial.jsonl'


def check_out(out: Any) -> None:
    """Stop where an argument means no output folder.

    Raises:
        M2DetError: One sentence that tells how a checkpoint is given.
    """
    if not isinstance(out, str | Path | bool | None) or not str(out):
        raise M2DetError(
            f'out must be a folder, got {shown(out)}; a checkpoint beside a config is '
            'given by its name: checkpoint=...'
        )


@contextmanager
def folder_of(out: str | Path | bool | None, *, resume: bool) -> Iterator[Path | None]:
    """Return the output folder that an argument means.

    Args:
        out: A folder; ``True`` for a new default folder, which is made, and removed at
            the end if nothing was written; ``None`` or ``False`` for none.
        resume: Whether the last default folder is meant in the place of a new one.

    Raises:
        M2DetError: If it cannot be made, or there is nothing to go on with.
    """
    if out is None or out is False:
        if resume:
            raise M2DetError('Without an output folder nothing can be resumed.')
        yield None
    elif out is not True:
        yield Path(out).expanduser()
    elif resume:
        folder = _last_folder()
        if folder is None:
            raise M2DetError(
                f'There is no {_folder(1)} to go on with: call it without --resume.'
            )
        yield folder
    else:
        folder = _new_folder()
        try:
            yield folder
        finally:
            with suppress(OSError):  # It holds files.
                folder.rmdir()
                folder.parent.rmdir()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    Raises:
        M2DetError: If one is at work there.
    """
    lock = FileLock(folder / _LOCK, timeout=0)
    with writing(folder):
        try:
            lock.acquire()
        except Timeout as error:
            raise M2DetError(
                f'Another prediction is written to {folder} now: wait, or give another '
                'output folder.'
            ) from error
        except NotImplementedError as error:
            raise M2DetError(
                f'{folder} lies where files cannot be locked ({error}): give an output '
                'folder on another disk.'
            ) from error
    try:
        yield
    finally:
        # Before it is released: nobody else shall remove the lock of another run.
        (folder / _LOCK).unlink(missing_ok=True)
        lock.release()


def unfinished_last() -> str | None:
    """Say what the last run into a default folder has left, if it was ended early."""
    folder = _last_folder()
    try:
        record = None if folder is None else read_record(folder)
    except M2DetError:
        return None
    if record is None or _is_locked(folder):
        return None
    return unfinished(folder, record)


def unfinished(folder: Path, record: PredictionRecord) -> str | None:
    """Say what a run has left that was ended before its last image.

    Args:
        folder: Where it wrote.
        record: Its record.

    Returns:
        A sentence; ``None`` if all is done.
    """
    if record.is_done:
        return None
    if record.video is not None:
        return (
            f'The prediction of {record.video} in {folder} ended early, and what it '
            'found is kept there: another output folder, or --force, begins anew.'
        )
    done = PredictionLog(folder / LOG).count()
    return (
        f'The prediction in {folder} ended early: {done} of {record.num_images} images '
        f'are done, their boxes in {folder / LOG}, their pictures in '
        f'{folder / PICTURES}. Go on with it by -o {quote(str(folder))} --resume, or '
        'replace it with --force.'
    )


def _is_locked(folder: Path) -> bool:
    if not (folder / _LOCK).exists():
        return False
    try:
        with locked(folder):
            return False
    except M2DetError:
        return True


def _new_folder() -> Path:
    """Make the next default folder: ``work_dirs/predict``, ``predict-2``, ..."""
    number = max(_numbers(), default=0)
    while True:
        number += 1
        folder = _folder(number)
        with writing(folder):
            folder.parent.mkdir(exist_ok=True)
            # Another run may have been faster.
            with suppress(FileExistsError):
                folder.mkdir()
                return folder


def _last_folder() -> Path | None:
    numbers = _numbers()
    return _folder(max(numbers)) if numbers else None


def _numbers() -> list[int]:
    """Numbers of the default folders that exist."""
    if not os.path.isdir(_PARENT):
        return []
    found = (re.fullmatch(rf'{_NAME}(?:-(\d+))?', x) for x in os.listdir(_PARENT))
    return [int(match[1] or 1) for match in found if match]


def _folder(number: int) -> Path:
    return Path(_PARENT, _NAME if number == 1 else f'{_NAME}-{number}')
