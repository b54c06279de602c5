"""Where the messages of MMEngine and the prints of other libraries go."""

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger

# Warnings of MMEngine about MMEngine and MMDetection.
_FOREIGN = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Failed to search registry with scope "mmdet" in the "function" registry tree',
)


class _WarningsToStderr(logging.StreamHandler):
    """Writes warnings and errors to what standard error is at that moment."""

    def __init__(self) -> None:
        super().__init__()
        self.setLevel(logging.WARNING)
        self.setFormatter(logging.Formatter('%(levelname)s: %(message)s'))
        self.addFilter(_is_for_people)

    @property
    def stream(self) -> TextIO:
        """Standard error, which a program may have replaced."""
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """Leave standard error alone."""


def _is_for_people(record: logging.LogRecord) -> bool:
    """Whether to show a message: of several processes the first one warns for all."""
    if record.levelno < logging.ERROR and not is_main_process():
        return False
    return not str(record.msg).startswith(_FOREIGN)


def quiet(logger: logging.Logger) -> None:
    """Show only warnings, on standard error; log files keep everything."""
    kept = [x for x in logger.handlers if isinstance(x, logging.FileHandler)]
    logger.handlers = [_WarningsToStderr(), *kept]


def quiet_log() -> MMLogger:
    """Let what MMEngine says outside of a run go to standard error, if it warns.

    Without a logger of its own MMEngine makes one that writes to standard output.
    """
    if MMLogger.check_instance_created('m2det'):
        return MMLogger.get_instance('m2det')
    logger = MMLogger.get_instance('m2det')
    quiet(logger)
    return logger


@contextmanager
def prints_to(logger: logging.Logger) -> Iterator[None]:
    """Write to ``logger`` what libraries print in this thread, as pycocotools does.

    Other threads print as before.
    """
    lines = _Lines(logger)
    with _routes.sending_to(lines):
        yield
    # A last line may lack its end.
    lines.write('\n')


def outside_of_redirection(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``callback`` print to what is standard output now, whenever it is called."""
    out = _routes.target()

    def call(*args: Any) -> Any:
        with _routes.sending_to(out):
            return callback(*args)

    return call


class _Routes:
    """Sends what a thread prints to a place of its own.

    ``contextlib.redirect_stdout`` does so for all threads; where two of them overlap,
    the first to end leaves the prints of all with the stream of the second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def target(self) -> TextIO | None:
        """Where this thread prints now."""
        out = sys.stdout
        return out.target() if isinstance(out, _Router) else out

    @contextmanager
    def sending_to(self, stream: TextIO | None) -> Iterator[None]:
        """Send to ``stream`` what this thread prints."""
        router = self._begin()
        try:
            with router.sending_to(stream):
                yield
        finally:
            self._end(router)

    def _begin(self) -> '_Router':
        with self._lock:
            if not isinstance(sys.stdout, _Router):
                sys.stdout = _Router(sys.stdout)
            sys.stdout.users += 1
            return sys.stdout

    def _end(self, router: '_Router') -> None:
        with self._lock:
            router.users -= 1
            # Somebody else may have replaced standard output since.
            if router.users == 0 and sys.stdout is router:
                sys.stdout = router.out


class _Router:
    """Stands in for standard output, and passes on what each thread prints.

    Args:
        out: The stream of the threads that send nothing elsewhere.
    """

    def __init__(self, out: TextIO | None) -> None:
        self.out = out
        self.users = 0
        self._own = threading.local()

    def target(self) -> TextIO | None:
        """Where the thread that asks prints."""
        return getattr(self._own, 'stream', self.out)

    @contextmanager
    def sending_to(self, stream: TextIO | None) -> Iterator[None]:
        """Send to ``stream`` what this thread prints."""
        before = self.target()
        self._own.stream = stream
        try:
            yield
        finally:
            self._own.stream = before

    def write(self, text: str) -> int:
        """Write to the stream of this thread; a program may have none."""
        stream = self.target()
        return len(text) if stream is None else stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target(), name)


class _Lines(io.TextIOBase):
    """A text stream whose lines become messages."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self.rest = ''

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split('\n')
        for line in filter(str.strip, lines):
            self.logger.info(line)
        return len(text)


_routes = _Routes()
