"""Ctrl-C and the end of a job, as a training sees them: between two iterations."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# By this PyTorch learns that a worker has ended; Windows has none.
_CHILD = getattr(signal, 'SIGCHLD', None)


class TrainingInterrupted(KeyboardInterrupt):
    """A training was interrupted, and its state is kept.

    Attributes:
        checkpoint: From which it goes on; ``None`` if there is none.
        iterations: Iterations that are done.
        number: Number of the signal.
        is_whole: Whether the checkpoint is of the last iteration.
    """

    def __init__(
        self,
        checkpoint: Path | None,
        iterations: int,
        number: int,
        *,
        is_whole: bool = True,
    ) -> None:
        self.checkpoint = checkpoint
        self.iterations = iterations
        self.number = number
        self.is_whole = is_whole
        kept = f'all is kept in {checkpoint}'
        if checkpoint is None:
            kept = 'nothing is kept, for the training has written no checkpoint'
        elif not is_whole:
            kept = f'the last checkpoint is {checkpoint}'
        times = 'iteration' if iterations == 1 else 'iterations'
        super().__init__(f'interrupted after {iterations} {times}; {kept}')


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing when a worker ends."""


class _Request:
    """The signal by which somebody has asked this process to stop, if any."""

    number = 0


def requested() -> int:
    """Return the number of the signal that asks a training to stop; 0 for none."""
    return _Request.number


@contextmanager
def interruptible() -> Iterator[None]:
    """Keep the first Ctrl-C, or SIGTERM, for a training to see; a second one acts.

    Data in the middle of an iteration are half old and half new: only between two
    iterations there is something to keep. In other threads than the main one, which
    get no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Request.number = 0
    watched = (*_SIGNALS, *([_CHILD] if _CHILD else []))
    before = {number: signal.getsignal(number) for number in watched}

    process = os.getpid()

    def keep(number: int, _frame: object) -> None:
        if os.getpid() != process:
            # A worker that has inherited this. It works on until it is ended.
            return
        _Request.number = number
        for each in _SIGNALS:
            signal.signal(each, before[each])
        if _CHILD:
            # Workers may get the signal, too. PyTorch would raise here and now that
            # they have ended; it also finds out when it asks them for the next batch.
            # A function, for Python complains of one that came together with this
            # signal and has none.
            before[_CHILD] = signal.signal(_CHILD, _ignore)
        print(
            '\nStopping: the state is kept after this batch. Once more stops at once.',
            file=sys.stderr,
            flush=True,
        )

    try:
        for number in _SIGNALS:
            # One that is ignored, as by nohup, or was not set by Python, stays.
            if before[number] not in (signal.SIG_IGN, None):
                signal.signal(number, keep)
        yield
    finally:
        interrupted, _Request.number = _Request.number, 0
        for number in watched if interrupted else _SIGNALS:
            if before[number] is not None:
                signal.signal(number, before[number])
