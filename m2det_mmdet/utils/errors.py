"""Errors, ours and those of others, as one sentence for a person each.

What a user can mend is an :class:`M2DetError`, whose text is that sentence. That on any
other error has its type and its place, since somebody will look there.
"""

import errno
import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .builds import unknown_type, wrong_argument
from .texts import one_line, printable, shown

_LONGEST = 300
# How Python tells of paths that it cannot hand to the operating system.
_NULL, _NO_UNICODE = 'embedded null', 'surrogates not allowed'
# What PyTorch and others write, in errors of several types, where memory is not enough.
_NO_MEMORY = re.compile(
    "out of memory|can't allocate memory|Cannot allocate memory|bad_?alloc"
)
_PACKAGE = Path(__file__).resolve().parent.parent
# Site packages first: they lie within the standard library.
_LIBRARIES = tuple(
    Path(sysconfig.get_path(name)).resolve()
    for name in ('purelib', 'platlib', 'stdlib', 'platstdlib')
)

# A file and a line in it.
Place = tuple[str, int]


class M2DetError(Exception):
    """One sentence: what is wrong, with the value that is, and what to do about it.

    Its text has a sign in the place of line ends and others that cannot be seen, which
    the name of a file may have.
    """

    def __str__(self) -> str:
        text = super().__str__()
        # What a worker raised arrives as the lines of its traceback.
        return text if _is_of_worker(text) else printable(text)


def sentence_of(error: BaseException) -> str:
    """Return the text of an error, also of one that a data loader's worker raised.

    Such an error arrives as the text of its traceback.
    """
    text = str(error).strip()
    if not _is_of_worker(text):
        return text
    return re.sub(r'^[\w.]+: ', '', text.splitlines()[-1])


def mendable(error: BaseException) -> str | None:
    """Return the sentence on an error that a user can mend; ``None`` for others.

    These are our own errors, those of the operating system on a file, those of Python
    on a path that no file can have, those of MMEngine on a module of a config with an
    unknown type or argument, and too little memory.
    """
    if isinstance(error, M2DetError):
        return sentence_of(error)
    if isinstance(error, OSError):
        if error.filename is not None:
            return f'{error.strerror}: {error.filename}'
        on_file = isinstance(error, FileNotFoundError | PermissionError)
        full = error.errno == errno.ENOSPC
        return sentence_of(error) if on_file or full else None
    if isinstance(error, UnicodeEncodeError) and error.reason == _NO_UNICODE:
        return f'{shown(error.object)} has signs that no file can have: give another.'
    if isinstance(error, ValueError) and str(error).startswith(_NULL):
        return 'A path has a null byte in it, which no file can have: give another.'
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))
    ):
        what = one_line(sentence_of(error), _LONGEST).rstrip('.')
        return (
            f'There is not enough memory{what and f" ({what})"}: take a smaller batch '
            'or smaller images, or close other programs.'
        )
    return wrong_argument(error) or unknown_type(error)


@contextmanager
def our_errors() -> Iterator[None]:
    """Raise our error in the place of any other that a user can mend.

    All functions of :mod:`m2det_mmdet.apis` do so; other errors pass as they are.

    Raises:
        M2DetError: Where :func:`mendable` has a sentence: on a file, on a module of a
            config with an unknown type or argument, and on our own errors that arrive
            as the text of a worker's traceback.
    """
    try:
        yield
    except Exception as error:
        sentence = mendable(error)
        if sentence is None or (
            isinstance(error, M2DetError) and sentence == str(error)
        ):
            raise
        kind = type(error) if isinstance(error, M2DetError) else M2DetError
        raise kind(sentence) from error


def explain(error: BaseException) -> str:
    """Return one sentence on any error.

    Returns:
        That of :func:`mendable`; else the type, the text, and in brackets the place:
        ``ZeroDivisionError: division by zero (neck.py:12)``. If it lies in a library,
        the last place outside follows. An error without a text shows its line of code.
    """
    if (sentence := mendable(error)) is not None:
        return sentence
    cause = _first_cause(error)
    places = _places(cause)
    name, text = type(error).__name__, sentence_of(error)
    if isinstance(error, SyntaxError):
        text = error.msg
    if not text and places and cause is error:
        text = f'`{linecache.getline(*places[-1]).strip()}`'
    said = f'{name}: {one_line(text, _LONGEST)}' if text else name
    if cause is not error:
        reason = one_line(sentence_of(cause), _LONGEST)
        said += f', caused by {type(cause).__name__}: {reason}'
    place = _describe(places)
    return said + (f' ({place})' if place else '')


def clause_of(error: BaseException) -> str:
    """Return the sentence of :func:`explain` without its end, for one around it."""
    return explain(error).removesuffix('.')


def _first_cause(error: BaseException) -> BaseException:
    """Return the error with which it began, as Python's traceback does."""
    earlier = error.__cause__
    if earlier is None and not error.__suppress_context__:
        earlier = error.__context__
    return error if earlier is None else _first_cause(earlier)


def _is_of_worker(text: str) -> bool:
    return text.startswith('Caught ') and 'Original Traceback' in text


def _places(error: BaseException) -> list[Place]:
    """Where an error passed, from the outermost call to its origin."""
    if isinstance(error, SyntaxError) and error.lineno:
        places = [(_parsed_file(error), error.lineno)]
    elif _is_of_worker(text := str(error).strip()):
        found = re.findall(r'File "(.+?)", line (\d+)', text)
        places = [(file, int(line)) for file, line in found]
    else:
        frames = traceback.extract_tb(error.__traceback__)
        places = [(frame.filename, frame.lineno or 0) for frame in frames]
    # Not those of code that no file holds.
    return [place for place in places if Path(place[0]).is_file()]


def _parsed_file(error: SyntaxError) -> str:
    """File that could not be parsed; MMEngine does not tell its name to the parser."""
    names = [error.filename or '']
    for frame, _ in traceback.walk_tb(error.__traceback__):
        names.append(str(frame.f_locals.get('filename', '')))
    return next((name for name in reversed(names) if Path(name).is_file()), '')


def _describe(places: list[Place]) -> str:
    """Name the last place; if it lies in a library, also the last one outside."""
    if not places:
        return ''
    last = '{}:{}'.format(*_shortened(places[-1]))
    if not _is_library(places[-1]):
        return last
    outside = [place for place in places if not _is_library(place)]
    if not outside:
        return last
    return last + ', called by {}:{}'.format(*_shortened(outside[-1]))


def _is_library(place: Place) -> bool:
    path = Path(place[0]).resolve()
    if path.is_relative_to(_PACKAGE):
        return False
    return any(path.is_relative_to(root) for root in _LIBRARIES)


def _shortened(place: Place) -> Place:
    """Name a file from its library or our package on."""
    path = Path(place[0]).resolve()
    if path.is_relative_to(_PACKAGE):
        return str(path.relative_to(_PACKAGE.parent)), place[1]
    for root in _LIBRARIES:
        if path.is_relative_to(root):
            return str(path.relative_to(root)), place[1]
    return place
