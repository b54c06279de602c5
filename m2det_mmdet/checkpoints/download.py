"""Downloads that go on where they stopped, and are whole and right or not there."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from filelock import FileLock
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from ..utils.files import sha256_of, write_whole, writing
from .errors import CheckpointError

_CHUNK = 2**18
# Seconds in which a server has to send something.
_PATIENCE = 30
_NO_SUCH_PART = 416
_PART = 206
# As torch and OpenMMLab end the names of their files.
_HASH = re.compile(r'-([0-9a-f]{8,64})(?:\.\w+)+$')
_DATE = re.compile(r'(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])')


class _Begun(NamedTuple):
    """A download that has begun.

    Attributes:
        partial: What has arrived, beside the file to be.
        note: Says of which address and state of the file that is.
    """

    partial: Path
    note: Path

    def forget(self) -> None:
        """Let the next download begin anew."""
        self.partial.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def fetch(
    url: str, path: str | Path, *, sha256: str | None = None, progress: bool = False
) -> None:
    """Download a file, unless it is there.

    Several processes may ask for the same file: one downloads, the others wait. What
    has arrived of a download that was cut is kept beside the file (``.partial``), and
    the next call asks for the rest of it, if the server can tell that it still has the
    same file.

    Args:
        url: Address of the file.
        path: Where it goes; its folder is made first.
        sha256: Its SHA-256, or how that begins; by default what its name says at its
            end (``resnet50-0676ba61.pth``), if anything.
        progress: Whether to show a bar on standard error.

    Raises:
        CheckpointError: If it cannot be downloaded, or is another file than expected.
        M2DetError: If it cannot be written. In both cases there is no file at ``path``.
    """
    path = Path(path)
    begun = _Begun(
        path.with_name(f'{path.name}.partial'),
        path.with_name(f'{path.name}.partial.json'),
    )
    lock = path.with_name(f'{path.name}.lock')
    with _explained(url, path), writing(path, *begun, lock):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if path.is_file():
                return
            _download(url, begun, progress=progress)
            expected = sha256 or hash_in(path.name)
            if expected is not None:
                _check_hash(begun, expected, url, path)
            begun.partial.replace(path)
            begun.note.unlink(missing_ok=True)


def hash_in(name: str) -> str | None:
    """Return how the SHA-256 of a file begins, if its name says so.

    A date of eight digits at the end of a name is none.
    """
    match = _HASH.search(name)
    return None if match is None or _DATE.fullmatch(match[1]) else match[1]


def _download(url: str, begun: _Begun, *, progress: bool) -> None:
    """Download to ``begun.partial``, going on where an earlier call stopped.

    Raises:
        OSError, HTTPException, ValueError: If anything fails.
    """
    begin, state = _arrived(url, begun)
    headers = {'User-Agent': 'm2det'}
    if begin:
        # All of it, if it has changed.
        headers |= {'Range': f'bytes={begin}-', 'If-Range': state}
    try:
        response = urlopen(Request(url, headers=headers), timeout=_PATIENCE)
    except HTTPError as error:
        if not begin or error.code != _NO_SUCH_PART:
            raise
        error.close()
        begun.forget()
        _download(url, begun, progress=progress)
        return
    with response:
        if response.status != _PART:
            begin = 0
        elif not str(response.headers['Content-Range']).startswith(f'bytes {begin}-'):
            begun.forget()
            raise HTTPException('the server sends another part than asked for')
        _receive(response, url, begun, begin, progress=progress)


def _arrived(url: str, begun: _Begun) -> tuple[int, str]:
    """How much an earlier call has left, in bytes, and the state of that file."""
    try:
        note = json.loads(begun.note.read_text(encoding='utf-8'))
        if note['url'] == url and note['state']:
            return begun.partial.stat().st_size, str(note['state'])
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        # There is none, or somebody has changed it.
        pass
    return 0, ''


def _receive(
    response: HTTPResponse, url: str, begun: _Begun, begin: int, *, progress: bool
) -> None:
    """Write what a server sends behind the ``begin`` bytes that are there."""
    length = response.headers['Content-Length']
    total = None if length is None else begin + int(length)
    arrived = begin
    bar = _bar(f'Downloading {begun.partial.stem}', show=progress)
    with open(begun.partial, 'ab' if begin else 'wb') as file, bar:
        if not begin:
            note = {'url': url, 'state': _state(response.headers)}
            write_whole(begun.note, json.dumps(note))
        task = bar.add_task('', total=total, completed=begin)
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            arrived += len(chunk)
            bar.update(task, completed=arrived)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and arrived < total:
        raise HTTPException(
            f'the connection ended after {arrived} of {total} bytes, where the next '
            'try goes on'
        )


def _state(headers: Message) -> str | None:
    """What tells one state of a file on a server from another, if anything does."""
    tag = headers['ETag']
    # Weak tags stand for files that are alike, not the same.
    return tag if tag and not tag.startswith('W/') else headers['Last-Modified']


def _check_hash(begun: _Begun, expected: str, url: str, path: Path) -> None:
    found = sha256_of(begun.partial)
    if not found.startswith(expected):
        begun.forget()
        raise CheckpointError(
            f'{url} was refused: the SHA-256 of what it gives is {found}, not '
            f'{expected}; try again, or put the right file at {path}.'
        )


@contextmanager
def _explained(url: str, path: Path) -> Iterator[None]:
    """Say in one sentence that there is no network, and what helps without one."""
    try:
        yield
    # A URL may be none at all.
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if type(error) is URLError else error
        raise CheckpointError(
            f'{url} cannot be downloaded ({reason}): check address and network, or '
            f'download the file elsewhere and put it at {path}.'
        ) from error


def _bar(description: str, *, show: bool) -> Progress:
    columns = (*Progress.get_default_columns()[1:], DownloadColumn())
    console = Console(stderr=True)
    return Progress(
        description, *columns, console=console, transient=True, disable=not show
    )
