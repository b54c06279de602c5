"""Processes for what may crash or hang: one at a time, ended at a limit of time."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import IO

# The child sees the modules that this process sees. The module of the command keeps the
# package from importing MMDetection, which is itself a trial.
_PROGRAM = (
    'import json, sys; sys.path[:] = json.loads(sys.argv.pop()); import m2det_command; '
    'from m2det_mmdet.diagnosis.child import main; main()'
)
# Seconds in which a process that was ended has to be gone.
_PATIENCE = 5
# Lines of standard error.
_KEPT = 20


class ChildError(Exception):
    """Why a child gave no answer, as a clause without a subject."""


class Child:
    """A process that answers questions, and ends with the ``with`` block.

    Raises:
        OSError: If no process can be started.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-c', _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A group of its own, so that what it starts ends with it.
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._said: deque[bytes] = deque(maxlen=_KEPT)
        self._readers = [
            _start(self._read, self._process.stdout),
            _start(self._listen, self._process.stderr),
        ]

    def ask(self, question: str, limit: float) -> str:
        """Return the answer to a question, both one line.

        Args:
            question: The question.
            limit: Seconds to wait at most.

        Raises:
            ChildError: If there is none; the process has ended or is of no use.
        """
        self._said.clear()
        try:
            self._process.stdin.write(question.encode() + b'\n')
            self._process.stdin.flush()
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            raise ChildError(
                f'gives no answer in {limit:g} s (--timeout gives it longer)'
            ) from None
        except OSError:
            # It has ended before it could read.
            line = None
        if line is None:
            raise ChildError(self._end())
        return line.decode(errors='replace')

    def close(self) -> None:
        """End the process, and all that it has started."""
        _kill(self._process)
        self._process.wait(_PATIENCE)
        for reader in self._readers:
            reader.join(_PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            try:
                pipe.close()
            # A question that was never read.
            except OSError:
                continue

    def _end(self) -> str:
        """Say how the process ended."""
        status = self._process.wait(_PATIENCE)
        # The last words may still be on their way.
        self._readers[1].join(_PATIENCE)
        lines = [line.decode(errors='replace').strip() for line in self._said]
        # Advice may follow the error, and warnings come before it.
        words = next((x for x in lines if 'error' in x.lower()), ''.join(lines[-1:]))
        return f'ends Python ({_describe(status)})' + (f': {words}' if words else '')

    def _read(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._answers.put(line)
        self._answers.put(None)

    def _listen(self, lines: Iterable[bytes]) -> None:
        self._said.extend(line for line in lines if line.strip())


def _start(
    read: Callable[[Iterable[bytes]], None], pipe: IO[bytes]
) -> threading.Thread:
    thread = threading.Thread(target=read, args=(pipe,), daemon=True)
    thread.start()
    return thread


def _describe(status: int) -> str:
    """Name the signal that ended a process, or its exit status."""
    if status >= 0:
        return f'exit status {status}'
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f'signal {-status}'


def _kill(process: subprocess.Popen) -> None:
    try:
        if hasattr(os, 'killpg'):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):
        # It has ended.
        return
