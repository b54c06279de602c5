"""Jobs in several processes of this machine."""

import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from queue import Queue
from typing import Any

from ..utils.child_processes import end_process, signal_name
from ..utils.errors import M2DetError
from ..utils.texts import one_line
from .events import Began, Ended, Event, Job, JobQueue, Task, failure

_LONGEST = 300  # signs of a line of output in a sentence
_PATIENCE = 10.0  # seconds from the end of its output to that of a process
_HELD = 4  # events a process that wait to be taken


class ProcessEngine:
    """Does jobs in processes of this machine, several at a time.

    A process does one job after the other. One that dies is replaced.

    Args:
        size: Jobs at a time.
        gpus: Names of the GPUs as ``CUDA_VISIBLE_DEVICES`` has them; each process sees
            one, in turn. Without any all processes see what this one does.
        threads: Threads that compute in each; as many as here by default.
    """

    shares_disk = True

    def __init__(
        self, size: int, gpus: tuple[str, ...] = (), threads: int | None = None
    ) -> None:
        self.size = size
        self._gpus, self._threads = gpus, threads

    def run(
        self, task: Task, jobs: Iterable[Job], shared: Any = None
    ) -> Iterator[tuple[Job, Event]]:
        """Do the jobs, and yield what happens to each.

        When the caller stops asking, all processes are ended.

        Args:
            task: What is done with each.
            jobs: The jobs.
            shared: What the task gets beside what a job makes.

        Raises:
            M2DetError: If the system gives no process.
        """
        queue = JobQueue(jobs)
        begin = pickle.dumps(sys.path) + pickle.dumps((task, shared))
        events: Queue[tuple[_Child, Event | None]] = Queue(_HELD * self.size)
        idle = [*reversed(range(self.size))]
        waiting: dict[int, _Child] = {}
        busy: dict[_Child, Job] = {}
        try:
            while True:
                while idle and (job := queue.take()) is not None:
                    try:
                        item = pickle.dumps(job.make())
                    except Exception as error:
                        yield job, Began()
                        yield job, failure(error)
                        continue
                    slot = idle.pop()
                    child = waiting.pop(slot, None)
                    if child is None:
                        child = _Child(slot, begin, self._environment(slot), events)
                    busy[child] = job
                    child.send(item)
                if not busy:
                    return
                child, event = events.get()
                if event is None:
                    if child not in busy:
                        waiting.pop(child.slot, None)
                        continue
                    event = queue.died(busy[child], child.death())
                    idle.append(child.slot)
                    yield busy.pop(child), event
                elif isinstance(event, Ended):
                    idle.append(child.slot)
                    waiting[child.slot] = child
                    yield busy.pop(child), event
                else:
                    yield busy[child], event
        finally:
            _end([*busy, *waiting.values()], events)

    def _environment(self, slot: int) -> Mapping[str, str]:
        changes = {}
        if self._gpus:
            changes['CUDA_VISIBLE_DEVICES'] = self._gpus[slot % len(self._gpus)]
        if self._threads is not None:
            changes |= thread_variables(self._threads)
        return {**os.environ, **changes}


def thread_variables(threads: int) -> dict[str, str]:
    """Variables of the environment that let libraries compute in so many threads."""
    names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')
    return dict.fromkeys(names, str(threads))


class _Child:
    """A process that does jobs.

    Args:
        slot: Its place among the processes.
        begin: What it reads first.
        environment: Its variables.
        events: Gets its events, each with the child; ``None`` at the end.
    """

    def __init__(
        self,
        slot: int,
        begin: bytes,
        environment: Mapping[str, str],
        events: Queue,
    ) -> None:
        self.slot = slot
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self.process = subprocess.Popen(
                [sys.executable, '-m', f'{__package__}.child'],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._output,
                env=environment,
                # Ctrl-C reaches this process alone, which then ends the others.
                start_new_session=True,
            )
        except OSError as error:
            raise M2DetError(
                f'No process can be started for a job ({error}): end other programs, '
                'or give fewer --jobs.'
            ) from error
        self.reader = threading.Thread(target=self._read, args=(events,), daemon=True)
        self.reader.start()
        self.send(begin)

    def send(self, content: bytes) -> None:
        """Write to the process; of one that has died, its reader tells."""
        with suppress(OSError):
            self.process.stdin.write(content)
            self.process.stdin.flush()

    def death(self) -> str:
        """Say in a clause how the process ended, which it has."""
        try:
            status = self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            end_process(self.process)
            status = self.process.returncode
        self._output.seek(0)
        lines = self._output.read().decode(errors='replace').strip().splitlines()
        how = f'exit status {status}'
        if status < 0:
            name = signal_name(-status)
            how = f'{name}{", probably out of memory" if name == "SIGKILL" else ""}'
        said = f'; its last line was: {one_line(lines[-1], _LONGEST)}' if lines else ''
        self.close()
        return f'ended by {how}{said}'

    def close(self) -> None:
        """Close what connects it with this process."""
        for file in (self.process.stdin, self.process.stdout, self._output):
            with suppress(OSError):
                file.close()

    def _read(self, events: Queue) -> None:
        with suppress(EOFError, pickle.UnpicklingError, OSError, ValueError):
            while True:
                events.put((self, pickle.load(self.process.stdout)))
        events.put((self, None))


def _end(children: list[_Child], events: Queue) -> None:
    """End processes, and the threads that read what they tell."""
    for child in children:
        child.process.terminate()
    for child in children:
        end_process(child.process)
        while child.reader.is_alive():
            # It may wait for room.
            with suppress(Exception):
                events.get(timeout=0.05)
        child.close()
