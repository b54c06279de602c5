"""The folders that m2det writes to: each takes a small file, or says why not."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..utils.errors import clause_of
from .findings import Finding, ok, problem

_GIGABYTE = 1e9
# Linux's default for a container is 64 MB, which the batches of two workers fill.
_SHARED = Path('/dev/shm')
_SHARED_ENOUGH = 0.25e9
# More than what a file system keeps beside a file.
_BLOCK = 1 << 16


def check_working_folder() -> Iterator[Finding]:
    """Look at the folder in which runs are written by default."""
    fix = 'call m2det in another folder, or name one by --work-dir or --out'
    yield _checked('working folder', Path.cwd, fix)


def check_temporary_folder() -> Iterator[Finding]:
    """Look at the folder of temporary files, and at the one that was asked for.

    Python passes silently over a folder that takes no file.
    """
    name = 'temporary files'
    fix = 'set TMPDIR to a folder with space'
    asked = next(
        (os.environ[x] for x in ('TMPDIR', 'TEMP', 'TMP') if os.environ.get(x)), None
    )
    if asked is not None:
        yield _checked(name, lambda: Path(asked), fix)
    if asked is None or Path(tempfile.gettempdir()) != Path(asked).absolute():
        yield _checked(name, lambda: Path(tempfile.gettempdir()), fix)


def check_cache() -> Iterator[Finding]:
    """Look at the folder of weights that are downloaded."""
    fix = 'set TORCH_HOME to a folder with space'
    yield _checked('downloads', cache_folder, fix)


def check_shared_memory() -> Iterator[Finding]:
    """Look at what the workers of a data loader hand over their batches in."""
    if not _SHARED.is_dir():
        return
    total = shutil.disk_usage(_SHARED).total
    refusal = _refusal(_SHARED)
    words = f'{total / _GIGABYTE:.1f} GB in {_SHARED}'
    fix = '`docker run --shm-size=8g` or `--ipc=host`; else take --workers 0'
    if refusal is not None:
        yield problem('shared memory', f'{words}, {refusal}', fix)
    elif total < _SHARED_ENOUGH:
        yield problem('shared memory', words, fix)
    else:
        yield ok('shared memory', words)


def cache_folder() -> Path:
    """Return where PyTorch keeps downloads, without PyTorch.

    The same as :func:`m2det_mmdet.checkpoints.zoo.finding.cache_folder`.
    """
    caches = os.environ.get('XDG_CACHE_HOME', '~/.cache')
    home = os.environ.get('TORCH_HOME', os.path.join(caches, 'torch'))
    return Path(home).expanduser() / 'hub' / 'checkpoints'


def _checked(name: str, find: Callable[[], Path], fix: str) -> Finding:
    """Look at a folder that may not exist yet."""
    try:
        folder = find()
        existing = next(x for x in (folder, *folder.parents) if x.exists())
        free = shutil.disk_usage(existing).free
    # That of a folder which was removed while one is in it is without its name.
    except (OSError, RuntimeError) as error:
        return problem(name, f'cannot be found: {clause_of(error)}', fix)
    refusal = _refusal(existing)
    if refusal is not None:
        return problem(name, f'{folder} {refusal}', fix)
    words = f'{folder}, {free / _GIGABYTE:.1f} GB free'
    if free < _GIGABYTE:
        return problem(name, words, f'make room there, or {fix}')
    return ok(name, words)


def _refusal(folder: Path) -> str | None:
    """Say why a folder takes no file of 64 kB; ``None`` if it does.

    The file is removed again.
    """
    try:
        # Without a buffer, so that closing has nothing left to write.
        with tempfile.NamedTemporaryFile(
            dir=folder, prefix='.m2det_doctor_', buffering=0
        ) as file:
            written = file.write(bytes(_BLOCK))
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f'is full ({error.strerror})'
        return f'takes no file ({error.strerror})'
    return None if written == _BLOCK else 'is full (No space left on device)'
