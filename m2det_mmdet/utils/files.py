"""Files that are written whole or not at all, and replaced only when asked to."""

import errno
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from .errors import M2DetError

# What the operating system says of a disk, without the name of a file, where an open
# file cannot be written to.
_OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE)


_PACKED = ('.7z', '.bz2', '.gz', '.rar', '.tar', '.tgz', '.xz', '.zip')


def is_archive(path: Path) -> bool:
    """Whether a path has the suffix of packed files."""
    return path.suffix.lower() in _PACKED


# Of a file, of a process and of a write.
_PARTIAL = re.compile(r'\.(.+)\.(\d+)\.[0-9a-f]{8}\.partial(?:\.\w+)?', re.DOTALL)
_BLOCK = 1 << 20  # bytes that are read at a time


def check_output(path: Path, *, force: bool) -> Path:
    """Stop before any work whose result could not be written to ``path``.

    Args:
        path: Where to write; a link stands for the file that it names.
        force: Whether a file there may be replaced.

    Returns:
        The path without links.

    Raises:
        M2DetError: If something else than a file is there, or a file without ``force``,
            or no folder can take it.
    """
    try:
        out = path.expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise M2DetError(
            f'{path} cannot be followed ({error}): give another.'
        ) from error
    if out.is_dir():
        raise M2DetError(f'{path} is a folder: give the name of a file.')
    if out.exists() and not out.is_file():
        raise M2DetError(f'{path} is no regular file: give another name.')
    if out.exists() and not force:
        raise M2DetError(f'{path} exists: give another name, or --force to replace it.')
    folder = next(parent for parent in out.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise M2DetError(
            f'{path} cannot be written: {folder} is no folder that takes files.'
        )
    return out


def write_whole(path: Path, content: str | Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``path``, then put it in its place; make the folder first.

    Args:
        path: Where to write; a link there is replaced, not followed.
        content: The text; or a function that writes to the open file.

    Raises:
        M2DetError: If it cannot be written; what was there is left.
        Exception: What ``content`` raises for reasons of its own.
    """
    path = Path(os.path.abspath(path))
    partial = partial_path(path)
    with writing(path, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(partial, 'xb') as file:
                if isinstance(content, str):
                    file.write(content.encode())
                else:
                    content(file)
                # Else a power cut may leave the new name without the content.
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
        finally:
            partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write a new name of a folder to its disk, where the system can."""
    if os.name != 'posix':
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        # Some network disks refuse, and keep names in their own way.
        with suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)


def partial_path(path: Path, suffix: str = '') -> Path:
    """Return a new path beside ``path``, which :func:`remove_leftovers` knows again.

    Args:
        path: What is to be written.
        suffix: With which the new path ends, for who takes the format from it.
    """
    # Not of the process alone: its threads may write the same file, and in a container
    # each process may have the number of an earlier one that was killed.
    return path.with_name(
        f'.{path.name}.{os.getpid()}.{uuid4().hex[:8]}.partial{suffix}'
    )


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what killed processes have left beside files that they were writing.

    Nothing of a process that lives is touched, except of this one.

    Args:
        paths: Files that nobody else writes now, as in a locked folder.
    """
    if os.name != 'posix':  # Elsewhere to ask whether a process lives may end it.
        return
    names = defaultdict(set)
    for path in paths:
        names[path.parent].add(path.name)
    for folder, own in names.items():
        with suppress(OSError):  # There is no such folder, or it can only be read.
            for found in [*folder.iterdir()]:
                match = _PARTIAL.fullmatch(found.name)
                if match and match[1] in own and _has_ended(int(match[2])):
                    found.unlink()


def _has_ended(process: int) -> bool:
    """Whether there is no other process of a number."""
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def writing(path: Path, *beside: Path) -> Iterator[None]:
    """Say in one sentence that what the block writes to ``path`` cannot be written.

    Errors of the block that have nothing to do with that file pass.

    Args:
        path: The file or folder.
        beside: What the block writes on the way to it.

    Raises:
        M2DetError: In the place of the operating system's errors on one of these, on
            what is in it, or on a folder above it.
    """
    try:
        yield
    # torch reports a full disk as RuntimeError.
    except (OSError, RuntimeError) as error:
        if (cause := _cause_in(error, (path, *beside))) is None:
            raise
        raise M2DetError(
            f'{path} cannot be written ({cause}): check the folder and the space on '
            'its disk.'
        ) from error


def _cause_in(error: BaseException | None, paths: Sequence[Path]) -> OSError | None:
    """Find an error on one of ``paths`` among ``error`` and those that it followed."""
    while error is not None:
        if isinstance(error, OSError) and _is_about(error, paths):
            return error
        error = error.__cause__ or error.__context__
    return None


def _is_about(error: OSError, paths: Sequence[Path]) -> bool:
    names = (error.filename, error.filename2)
    files = [
        Path(os.path.abspath(name))
        for name in names
        if isinstance(name, str | os.PathLike)
    ]
    if not files:
        return error.errno in _OF_A_DISK
    own = [Path(os.path.abspath(path)) for path in paths]
    return any(a == b or a in b.parents or b in a.parents for a in own for b in files)
