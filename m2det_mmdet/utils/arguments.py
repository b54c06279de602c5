"""What a caller gave as an argument, where its kind is another than its place takes."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import M2DetError
from .texts import shown


def texts_of(name: str, value: Any) -> tuple[str, ...]:
    """Return the texts of an argument that takes one or several; paths as texts.

    Args:
        name: Of the argument.
        value: What was given.

    Raises:
        M2DetError: If it is neither a text nor a series of texts.
    """
    if isinstance(value, str | Path):
        return (str(value),)
    if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes):
        raise M2DetError(
            f'{name} must be a text or a list of texts, got {shown(value)}.'
        )
    texts = tuple(value)
    for text in texts:
        if not isinstance(text, str | Path):
            raise M2DetError(f'{name} must hold texts, got {shown(text)}.')
    return tuple(map(str, texts))


def check_mapping(name: str, value: Any) -> None:
    """Raise if an argument is given and is no dictionary with texts as keys.

    Raises:
        M2DetError: One sentence that names it.
    """
    if value is None:
        return
    if not isinstance(value, Mapping) or not all(isinstance(x, str) for x in value):
        raise M2DetError(
            f'{name} must be a dictionary with texts as keys, got {shown(value)}.'
        )


def check_callable(name: str, value: Any) -> None:
    """Raise if an argument is given and cannot be called.

    Raises:
        M2DetError: One sentence that names it.
    """
    if value is not None and not callable(value):
        raise M2DetError(f'{name} must be a function, got {shown(value)}.')


def check_path(name: str, value: Any) -> None:
    """Raise if an argument is no path of a file or folder.

    Raises:
        M2DetError: One sentence that names it.
    """
    if not isinstance(value, str | Path):
        raise M2DetError(f'{name} must be a path, got {shown(value)}.')


def check_paths(**given: Any) -> None:
    """Check each of several arguments that is given by :func:`check_path`.

    Args:
        given: What was given, by the names of the arguments; ``None`` for nothing.

    Raises:
        M2DetError: One sentence that names the first that is no path.
    """
    for name, value in given.items():
        if value is not None:
            check_path(name, value)
