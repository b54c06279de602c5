"""Images on the web: fetched into a folder, whole or not at all."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path, PurePosixPath
from socket import SHUT_RDWR, socket
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)
from uuid import uuid4

from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from .errors import M2DetError
from .files import writing
from .headers import HugeImage, UnreadableImage, read_header
from .texts import one_line

_SCHEMES = ('http://', 'https://')
# Seconds in which a server has to send something, and all of the image.
_PATIENCE, _DURATION = 30, 300
_MOST_BYTES = 200 * 2**20
_CHUNK = 2**16
_LONGEST_NAME = 100
_MOST_OF_A_NAME = 10_000
# What a URL may hold as it is; the rest is written with percent signs.
_PLAIN = "%/:?#[]@!$&'()*+,;=~"


def is_url(text: str) -> bool:
    """Whether a text is the address of something on the web."""
    return text.lower().startswith(_SCHEMES)


def fetch_image(url: str, folder: Path) -> Path:
    """Download an image into a folder.

    Args:
        url: Its address, ``http`` or ``https``; redirections lead to no other scheme.
        folder: Where it goes; made first. Each call makes a file of its own.

    Returns:
        The file. It has the name at the end of the address without signs that a file
        system may refuse, and the suffix of an image.

    Raises:
        M2DetError: If it cannot be downloaded within 30 seconds of silence and five
            minutes in all, has more than 200 MB, or is no image; no file is left.
    """
    folder = Path(folder)
    partial = folder / f'.{uuid4().hex}.partial'
    with writing(folder, partial):
        folder.mkdir(parents=True, exist_ok=True)
        partial.touch(exist_ok=False)
    try:
        with open(partial, 'wb') as file, _explained(url):
            _download(url, file)
        return _give_name(partial, url)
    finally:
        partial.unlink(missing_ok=True)


class _OnWeb(HTTPRedirectHandler):
    """Follows redirections to other places on the web, and nowhere else."""

    def redirect_request(
        self,
        req: Request,
        fp: HTTPResponse,
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Refuse what is no address on the web."""
        if not is_url(newurl):
            raise URLError(f'it leads to {one_line(newurl, 60)}')
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Deadline:
    """Ends the connections of a download when its time is over.

    A server that sends a line of its headers now and then is never silent, and Python
    reads on until they end.
    """

    def __init__(self) -> None:
        self._sockets: list[socket] = []
        self._is_over = threading.Event()

    def add(self, connected: socket) -> None:
        """Take a connection that is to end, too."""
        self._sockets.append(connected)
        if self._is_over.is_set():
            self._end()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch over a download.

        Raises:
            TimeoutError: If its time is over, in the place of what follows from that.
        """
        timer = threading.Timer(_DURATION, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException, ValueError) as error:
            if self._is_over.is_set():
                raise _too_slow() from error
            raise
        finally:
            timer.cancel()
        if self._is_over.is_set():
            raise _too_slow()

    def _end(self) -> None:
        self._is_over.set()
        for connected in self._sockets:
            with suppress(OSError):  # It has ended already.
                # Not that of TLS, which says farewell first.
                socket.shutdown(connected, SHUT_RDWR)


class _Watched:
    """Part of a handler that tells a deadline of its connections."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def do_open(
        self, http_class: type[HTTPConnection], req: Request, **how: Any
    ) -> HTTPResponse:
        """Open a connection as the handler does."""
        deadline = self._deadline

        class Watched(http_class):
            def connect(self) -> None:
                super().connect()
                deadline.add(self.sock)

        return super().do_open(Watched, req, **how)


class _WatchedHTTP(_Watched, HTTPHandler):
    pass


class _WatchedHTTPS(_Watched, HTTPSHandler):
    pass


def _download(url: str, file: BinaryIO) -> None:
    """Write what a server sends.

    Raises:
        OSError, HTTPException, ValueError: If anything fails.
    """
    if not is_url(url):
        raise ValueError('its scheme is not http or https')
    request = Request(quote(url, safe=_PLAIN), headers={'User-Agent': 'm2det'})
    begin, arrived, deadline = time.monotonic(), 0, _Deadline()
    handlers = (_OnWeb, _WatchedHTTP(deadline), _WatchedHTTPS(deadline))
    with (
        deadline.watching(),
        build_opener(*handlers).open(request, timeout=_PATIENCE) as response,
    ):
        length = response.headers['Content-Length']
        _check_size(int(length) if length else 0)
        # Of what has come: a slow server would keep a whole chunk waiting.
        while chunk := response.read1(_CHUNK):
            arrived += len(chunk)
            _check_size(arrived)
            if time.monotonic() - begin > _DURATION:
                raise _too_slow()
            file.write(chunk)
    if length and arrived < int(length):
        raise HTTPException(f'the connection ended after {arrived} of {length} bytes')


def _too_slow() -> TimeoutError:
    return TimeoutError(f'it takes more than {_DURATION} seconds')


def _check_size(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(f'it has more than {_MOST_BYTES // 2**20} MB')


def _give_name(partial: Path, url: str) -> Path:
    """Check that a file is an image, and give it a name that no other file has."""
    try:
        suffix = f'.{read_header(partial).format.lower()}'
    except HugeImage as error:
        raise M2DetError(f'{url} {error.problem}: give a smaller image.') from error
    except UnreadableImage as error:
        raise M2DetError(
            f'{url} {error.problem}: give the address of an image itself, not of a '
            'page that shows it.'
        ) from error
    name = partial.with_name(_safe_name(url, suffix))
    ends = ('', *(f'-{number}' for number in range(2, _MOST_OF_A_NAME)))
    for path in (name.with_name(f'{name.stem}{end}{name.suffix}') for end in ends):
        # Nobody else can take a name between these lines.
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return partial.replace(path)
    raise M2DetError(f'{partial.parent} has too many files as {name.name}: empty it.')


def _safe_name(url: str, suffix: str) -> str:
    """Name of a file for an address, with the suffix of an image."""
    last = PurePosixPath(unquote(urlsplit(url).path)).name
    name = re.sub(r'[^\w.-]+', '_', last).strip('._-')
    path = PurePosixPath(name or 'image')
    known = path.suffix.lower() in IMG_EXTENSIONS
    stem, suffix = (path.stem, path.suffix) if known else (path.name, suffix)
    return f'{stem[:_LONGEST_NAME]}{suffix}'


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Say in one sentence that an image cannot be downloaded.

    Raises:
        M2DetError: In the place of what the network and its protocol raise.
    """
    try:
        yield
    # A URL may be none at all.
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        reason = error.reason if type(error) is URLError else error
        raise M2DetError(
            f'{one_line(url)} cannot be downloaded ({one_line(reason)}): check the '
            'address and the network.'
        ) from error
