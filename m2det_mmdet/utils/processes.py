"""The processes of a job: they wait for each other, and end where one is lost."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from torch import distributed
from torch.distributed import ProcessGroup, Store

from .errors import M2DetError, explain
from .heartbeat import Heartbeat, end_process
from .launchers import was_restarted
from .tellers import name_teller

# Seconds: until all processes have come together at the start; for a step of a
# training, in which all do the same; without a sign of life of a process.
START, STEP, SILENCE = 600.0, 45.0, 20.0
# For what one process does alone while the others wait and see that it lives.
PATIENCE = timedelta(hours=6)
# How long the process that may hold the store waits for the last word of the others.
FAREWELL = 3.0
# What PyTorch says where a collective operation has lost a process, by backend.
_LOSSES = re.compile(
    r'connection (closed|reset|refused)|broken pipe|timed? ?out|monitoredBarrier|'
    r'application timeout caused pair closure|NCCL error|remote process exited',
    re.IGNORECASE,
)
_ENDED = 'm2det/ended/'


class LostProcessError(M2DetError):
    """Another process of the job has ended, or does not answer."""


@dataclass(frozen=True)
class _Job:
    """What holds the processes of a job together.

    Attributes:
        store: Where they leave words for each other.
        group: A group of theirs whose operations have patience.
        heartbeat: Tells that one is lost.
    """

    store: Store
    group: ProcessGroup
    heartbeat: Heartbeat


_jobs: list[_Job] = []


def watch_processes(*, silence: float = SILENCE) -> None:
    """Begin to watch the processes of PyTorch's default group, if nobody does yet.

    Args:
        silence: Seconds without a sign of life after which a process counts as lost.
    """
    if _jobs or distributed.get_world_size() == 1:
        return
    store = distributed.distributed_c10d._get_default_store()
    group = distributed.new_group(backend='gloo', timeout=PATIENCE)
    rank, size = distributed.get_rank(), distributed.get_world_size()
    heartbeat = Heartbeat(
        _connection(store),
        rank,
        size,
        silence=silence,
        end=end_process,
    )
    distributed.monitored_barrier(group, timeout=timedelta(seconds=START))
    heartbeat.start()
    _jobs.append(_Job(_connection(store), group, heartbeat))


def _connection(store: Store) -> Store:
    """Return a connection of its own, for one takes one request at a time."""
    # PyTorch before 2.8 has no other; a busy one makes no process a lost one.
    return store.clone() if hasattr(store, 'clone') else store


def shorten_timeout(seconds: float) -> None:
    """Let operations of the default group wait for ``seconds`` from now on."""
    distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=seconds))


def wait_for_all() -> None:
    """Wait until all processes of the job are here, as long as they live.

    Call it in all processes, before an operation to which one may come much later.
    Outside of a job it returns at once.
    """
    if _jobs:
        group = _jobs[0].group
        distributed.monitored_barrier(group, timeout=PATIENCE, wait_all_ranks=True)


def gather_at_first(part: Any) -> list[Any] | None:
    """Return what each process gives, in the first one; ``None`` in the others."""
    group = _jobs[0].group
    is_first = distributed.get_rank() == 0
    parts = [None] * distributed.get_world_size() if is_first else None
    distributed.gather_object(part, parts, dst=0, group=group)
    return parts


def any_restarted() -> bool:
    """Whether torchrun has started one of the processes once more.

    On several machines it counts what has failed on its own one.
    """
    if not _jobs:
        return was_restarted()
    restarted = [False] * distributed.get_world_size()
    distributed.all_gather_object(restarted, was_restarted(), group=_jobs[0].group)
    return any(restarted)


def is_watched() -> bool:
    """Whether this process belongs to a job of several, which are watched."""
    return bool(_jobs)


@contextmanager
def among_processes() -> Iterator[None]:
    """Watch the other processes no more when the context ends.

    Raises:
        LostProcessError: In the place of an error that another process has caused.
    """
    try:
        yield
    except Exception as error:
        if not _jobs:
            raise
        if _is_loss(error):
            raise _loss(error) from error
        _leave_word(error)
        raise
    finally:
        while _jobs:
            _leave(_jobs.pop().heartbeat)


def _leave(heartbeat: Heartbeat) -> None:
    """Say farewell; the first process stays until the others have, or for a time."""
    heartbeat.stop()
    if heartbeat.rank == 0:
        heartbeat.wait_until_all_left(FAREWELL)


def _is_loss(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and bool(_LOSSES.search(str(error)))


def _loss(error: Exception) -> LostProcessError:
    """Return the error to raise where another process is lost."""
    job = _jobs[0]
    ended = {x: word for x in _others() if (word := _read(job.store, x))}
    if ended:
        rank, word = next(iter(ended.items()))
        loss = LostProcessError(f'Rank {rank} has ended: {word}')
        # It has told of it itself.
        name_teller(loss, None)
        return loss
    loss = LostProcessError(
        'Another process has ended or does not answer, so that this one ends: begin '
        'again with --resume, or raise env_cfg.dist_cfg.timeout, in seconds, if it was '
        f'only slow ({_first_sentence(error)}).'
    )
    name_teller(loss, f'rank {distributed.get_rank()}')
    return loss


def _first_sentence(error: Exception) -> str:
    """What PyTorch says, without its advice."""
    return str(error).splitlines()[0].split('. This is typically')[0].rstrip('.')


def _leave_word(error: Exception) -> None:
    """Tell the other processes of an error, and choose the one that prints it."""
    store, rank = _jobs[0].store, distributed.get_rank()
    sentence = explain(error)
    first = rank
    with suppress(RuntimeError):
        key = f'm2det/told/{sha256(sentence.encode()).hexdigest()}'
        first = int(store.compare_set(key, '', str(rank)))
        store.set(f'{_ENDED}{rank}', sentence)
    name_teller(error, f'rank {rank}' if first == rank else None)


def _read(store: Store, rank: int) -> str:
    key = f'{_ENDED}{rank}'
    with suppress(RuntimeError):
        if store.check([key]):
            return store.get(key).decode()
    return ''


def _others() -> list[int]:
    rank = distributed.get_rank()
    return [x for x in range(distributed.get_world_size()) if x != rank]
