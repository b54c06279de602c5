"""Jobs one after the other, in this process."""

from collections.abc import Iterable, Iterator
from typing import Any

from .events import Began, Event, Job, Task, failure, perform


class SerialEngine:
    """Does one job after the other, here.

    Attributes:
        shares_disk: Whether tasks see the files of this process.
    """

    shares_disk = True

    def run(
        self, task: Task, jobs: Iterable[Job], shared: Any = None
    ) -> Iterator[tuple[Job, Event]]:
        """Do the jobs, and yield what happens to each.

        Args:
            task: What is done with each.
            jobs: The jobs.
            shared: What the task gets beside what a job makes.
        """
        for job in jobs:
            try:
                item = job.make()
            except Exception as error:
                yield job, Began()
                yield job, failure(error)
                continue
            for event in perform(task, shared, item):
                yield job, event
