"""Jobs, and what happens to them."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..utils.errors import explain, mendable

# How often a job is tried again whose process or machine died.
RETRIES = 3


@dataclass(frozen=True, eq=False)
class Job:
    """What a task is to be done with.

    Attributes:
        key: What the caller knows the job by.
        make: Makes what the task gets. It is called at each attempt, so that an
            attempt can go on where the one before has died.
    """

    key: Any
    make: Callable[[], Any]


@dataclass(frozen=True)
class Began:
    """The task is at work."""


@dataclass(frozen=True)
class Told:
    """The task has yielded something.

    Attributes:
        message: What.
    """

    message: Any


@dataclass(frozen=True)
class Again:
    """The process or machine of the task has died, and the job waits for another.

    Attributes:
        reason: How it died, in a clause.
    """

    reason: str


@dataclass(frozen=True)
class Ended:
    """The job is over.

    Attributes:
        reason: Why it failed, in a sentence; ``None`` if it did not.
        is_mendable: Whether the sentence is on what a user can change.
    """

    reason: str | None = None
    is_mendable: bool = True


Event = Began | Told | Again | Ended
# A generator function at the top of a module. It gets what all jobs share, and what its
# job has made.
Task = Callable[[Any, Any], Iterator[Any]]


def perform(task: Task, shared: Any, item: Any) -> Iterator[Event]:
    """Do a job, and yield what happens; its error is the last event."""
    yield Began()
    try:
        for message in task(shared, item):
            yield Told(message)
    except Exception as error:
        yield failure(error)
    else:
        yield Ended()


def failure(error: Exception) -> Ended:
    """Return the end of a job that raised an error."""
    return Ended(explain(error), mendable(error) is not None)


class JobQueue:
    """Gives out jobs, those first that are to be tried again.

    Args:
        jobs: The jobs; read as they are given out.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._rest = iter(jobs)
        self._again: deque[Job] = deque()
        self._deaths: Counter[Job] = Counter()

    def take(self) -> Job | None:
        """Return the next job; ``None`` if there is none at the moment."""
        return self._again.popleft() if self._again else next(self._rest, None)

    def died(self, job: Job, reason: str) -> Again | Ended:
        """Note that the process or machine of a job died.

        Args:
            job: The job.
            reason: How it died, in a clause.
        """
        self._deaths[job] += 1
        if self._deaths[job] <= RETRIES:
            self._again.append(job)
            return Again(reason)
        return Ended(
            f'Its process died {self._deaths[job]} times, at last so: {reason}. Look '
            'for the reason there (memory?), then call the same command again.'
        )
