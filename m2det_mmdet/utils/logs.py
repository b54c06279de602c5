"""Where the messages of MMEngine and the prints of other libraries go."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
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
    """Write to ``logger`` what libraries print, as pycocotools does."""
    lines = _Lines(logger)
    with redirect_stdout(lines):
        yield
    # A last line may lack its end.
    lines.write('\n')


def outside_of_redirection(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``callback`` print to what is standard output now, whenever it is called."""
    out = sys.stdout

    def call(*args: Any) -> Any:
        with redirect_stdout(out):
            return callback(*args)

    return call


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
