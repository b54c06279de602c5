"""Files that are written whole or not at all, and replaced only when asked to."""

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


def write_whole(path: Path, content: str | Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``path``, then put it in its place; make the folder first.

    Args:
        path: Where to write; a link there is replaced, not followed.
        content: The text; or a function that writes to the open file.

    Raises:
        M2DetError: If it cannot be written; what was there is left.
    """
    path = Path(os.path.abspath(path))
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    with writing(path):
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
