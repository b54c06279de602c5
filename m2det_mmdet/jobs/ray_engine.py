"""Jobs on a machine or a cluster by Ray, which this module alone imports.

A job is a task of `Ray <https://www.ray.io>`_ that streams its events. What a job makes
and what its task yields travel through Ray: no disk has to be shared.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..compat.ray_prints import no_ray_prints
from ..utils.errors import M2DetError, clause_of
from ..utils.texts import one_line
from .events import Again, Began, Ended, Event, Job, JobQueue, Task, failure, perform
from .processes import thread_variables

if TYPE_CHECKING:
    from ray import ObjectRefGenerator

_ANSWER = 10.0  # seconds that a cluster has to take a connection
_PATIENCE = 60.0  # seconds without a machine that has room for a job
_HELD = 32  # events of a job that wait to be taken
_POLL = 1.0  # seconds


class RayEngine:
    """Does jobs as tasks of Ray.

    Args:
        address: Of a cluster; see :func:`.choose_engine`.
        size: Jobs at a time; as many as there is room for by default.
        cpus: CPUs that a job takes; by default ``threads``, or one beside a GPU.
        threads: Threads that compute in each job.
        use_gpus: Whether each job takes a GPU where there are any.
    """

    shares_disk = False

    def __init__(
        self,
        address: str | None,
        size: int | None,
        cpus: int | None,
        *,
        threads: int,
        use_gpus: bool,
    ) -> None:
        self.address = address or os.environ.get('RAY_ADDRESS') or None
        _check_answers(self.address)
        self._size, self._cpus = size, cpus
        self._threads, self._use_gpus = threads, use_gpus

    @property
    def size(self) -> int | None:
        """Jobs at a time, where the caller gave it."""
        return self._size

    def run(
        self, task: Task, jobs: Iterable[Job], shared: Any = None
    ) -> Iterator[tuple[Job, Event]]:
        """Do the jobs, and yield what happens to each.

        When the caller stops asking, all tasks are ended. A Ray that was begun here
        ends with them, and one that was running goes on.

        Args:
            task: What is done with each.
            jobs: The jobs.
            shared: What the task gets beside what a job makes.

        Raises:
            M2DetError: If Ray does not start or answer, or no machine has room for one
                job.
        """
        with self._connected():
            yield from self._run(task, JobQueue(jobs), shared)

    def _run(
        self, task: Task, queue: JobQueue, shared: Any
    ) -> Iterator[tuple[Job, Event]]:
        import ray

        room = _Room(self._cpus or self._threads, self._cpus or 1, self._use_gpus)
        start = (
            ray.remote(_perform)
            .options(
                num_cpus=room.cpus,
                num_gpus=room.gpus,
                # The queue knows better with what to try again.
                max_retries=0,
                num_returns='streaming',
                scheduling_strategy='SPREAD',
                _generator_backpressure_num_objects=_HELD,
            )
            .remote
        )
        shared = ray.put((task, shared, self._threads))
        busy: dict[ObjectRefGenerator, Job] = {}
        try:
            while True:
                while len(busy) < (self._size or room.jobs()):
                    if (job := queue.take()) is None:
                        break
                    try:
                        busy[start(shared, job.make())] = job
                    except Exception as error:
                        yield job, Began()
                        yield job, failure(error)
                if not busy:
                    return
                ready, _ = ray.wait([*busy], num_returns=1, timeout=_POLL)
                if not ready:
                    room.check()
                for events in ready:
                    event = _next(events, busy[events], queue)
                    yield busy[events], event
                    if isinstance(event, Again | Ended):
                        del busy[events]
        finally:
            for events in busy:
                with suppress(Exception):  # Ray may have gone.
                    ray.cancel(events, force=True)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Connect to Ray, or start one; say nothing of it on the console.

        Raises:
            M2DetError: If it does not start or answer.
        """
        # It would tell its makers of each start.
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        os.environ.setdefault('RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO', '0')
        import ray

        if ray.is_initialized():
            # The program's own.
            yield
            return
        with no_ray_prints(), _own_end() as keep_end:
            try:
                _connect(self.address, self._local_cpus())
                keep_end()
            except Exception as error:
                raise M2DetError(
                    f'Ray does not start, or its cluster {self.address or "here"} does '
                    f'not answer ({one_line(clause_of(error))}): check it by `ray '
                    'status`.'
                ) from error
            try:
                yield
            finally:
                ray.shutdown()

    def _local_cpus(self) -> int | None:
        """CPUs that a new Ray counts on this machine, so that the jobs have room."""
        each = self._cpus or self._threads
        return max(os.cpu_count() or 1, each * self._size) if self._size else None


class _Room:
    """What a job takes, and where there is room for it.

    Args:
        cpus: CPUs that a job takes without a GPU.
        cpus_beside: CPUs that it takes beside one.
        use_gpus: Whether it takes a GPU where there are any.
    """

    def __init__(self, cpus: int, cpus_beside: int, use_gpus: bool) -> None:
        has_gpus = any(node.get('GPU', 0) >= 1 for node in _nodes())
        self.gpus = int(use_gpus and has_gpus)
        self.cpus = cpus_beside if self.gpus else cpus
        self._seen = monotonic()
        if not self.jobs():
            self._raise()

    def jobs(self) -> int:
        """How many jobs have room at a time."""
        needs = {'CPU': self.cpus, **({'GPU': 1} if self.gpus else {})}
        return sum(
            int(min(node.get(name, 0) // number for name, number in needs.items()))
            for node in _nodes()
        )

    def check(self) -> None:
        """Stop where no machine has had room for a job for a while.

        Raises:
            M2DetError: One sentence that says what a job takes.
        """
        if self.jobs():
            self._seen = monotonic()
        elif monotonic() - self._seen > _PATIENCE:
            self._raise()

    def _raise(self) -> None:
        gpu = ' and a GPU' if self.gpus else ''
        most = int(max((node.get('CPU', 0) for node in _nodes()), default=0))
        raise M2DetError(
            f'No machine of the cluster has {self.cpus} CPUs{gpu} for a job; the '
            f'largest has {most} CPUs: give fewer by --job-cpus.'
        )


def _nodes() -> list[dict[str, float]]:
    """Resources of the machines that are alive."""
    import ray

    return [node['Resources'] for node in ray.nodes() if node['Alive']]


def _perform(shared: tuple[Task, Any, int], item: Any) -> Iterator[Event]:
    """Do a job where Ray has sent it."""
    import torch

    task, shared, threads = shared
    # Also for the processes that the task starts.
    os.environ.update(thread_variables(threads))
    torch.set_num_threads(threads)
    yield from perform(task, shared, item)


def _next(events: 'ObjectRefGenerator', job: Job, queue: JobQueue) -> Event:
    """Return the next event of a job, be it its death."""
    import ray

    try:
        return ray.get(next(events))
    except StopIteration:
        return queue.died(job, 'it ended without a word')
    except ray.exceptions.RayTaskError as error:
        # Not of the task, whose errors are events: it could not be called there.
        reason = one_line(str(error).strip().splitlines()[-1])
        return Ended(f'A machine of the cluster cannot do the job: {reason}.')
    except ray.exceptions.RayError as error:
        said = one_line(str(error).strip().partition('\n')[0]).rstrip('.')
        return queue.died(job, f'{type(error).__name__}: {said}')


def _connect(address: str | None, num_cpus: int | None) -> None:
    """Connect to the Ray of an address, or to one of this machine, or start one."""
    import ray

    quiet = {'log_to_driver': False, 'logging_level': logging.CRITICAL}
    if address is None:
        try:
            ray.init('auto', **quiet)
        except ConnectionError:
            ray.init('local', num_cpus=num_cpus, include_dashboard=False, **quiet)
    elif address == 'local':
        ray.init('local', num_cpus=num_cpus, include_dashboard=False, **quiet)
    else:
        ray.init(address, **quiet)


@contextmanager
def _own_end() -> Iterator[Callable[[], None]]:
    """Let SIGTERM end this process so that Ray ends with it, and says nothing.

    Yields:
        A function to call when Ray has put its own handler in that place.
    """
    former = signal.getsignal(signal.SIGTERM)
    # Only the main thread may choose what signals do.
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or former is None:
        yield lambda: None
        return
    handler = _stop if former is signal.SIG_DFL else former
    try:
        yield lambda: signal.signal(signal.SIGTERM, handler)
    finally:
        signal.signal(signal.SIGTERM, former)


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _check_answers(address: str | None) -> None:
    """Stop where nobody takes a connection at an address, which Ray waits long for.

    Raises:
        M2DetError: One sentence; also on an address of Ray's client.
    """
    if address in (None, 'auto', 'local'):
        return
    if address.startswith('ray://'):
        raise M2DetError(
            f'{address} is an address for Ray Client, which streams no results: give '
            'HOST:PORT of the head, as `ray start` prints it (6379).'
        )
    host, colon, port = address.rpartition(':')
    if not colon or not port.isdecimal():
        raise M2DetError(
            f'{address} is no address of a cluster: give HOST:PORT of its head, as '
            '`ray start` prints it, auto or local.'
        )
    try:
        socket.create_connection((host.strip('[]'), int(port)), _ANSWER).close()
    except (OSError, OverflowError) as error:
        raise M2DetError(
            f'No cluster of Ray answers at {address} ({error}): check the address, or '
            'start one by `ray start --head`.'
        ) from error
