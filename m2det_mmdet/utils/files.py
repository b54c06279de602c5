"""Files that a subcommand writes: whole or not at all, and nothing lost unasked."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import M2DetError


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


def write_whole(out: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``out``, then put it in its place; make the folder first.

    Args:
        out: As :func:`check_output` returns it.
        write: Writes the content to an open file.

    Raises:
        M2DetError: If it cannot be written; what was there is left.
    """
    partial = out.with_name(f'.{out.name}.{os.getpid()}.partial')
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(partial, 'xb') as file:
                write(file)
                # Else a power cut may leave the new name without the content.
                file.flush()
                os.fsync(file.fileno())
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one sentence that what the block writes to ``path`` cannot be written.

    Raises:
        M2DetError: In the place of the operating system's errors.
    """
    try:
        yield
    # torch reports a full disk as RuntimeError.
    except (OSError, RuntimeError) as error:
        raise M2DetError(
            f'{path} cannot be written ({error}): check the folder and the space on '
            'its disk.'
        ) from error
