from collections.abc import Iterator
from itertools import count

from m2det_mmdet.jobs import Again, Began, Ended, Job, SerialEngine, Told
from m2det_mmdet.jobs.events import RETRIES, JobQueue
from m2det_mmdet.utils.errors import M2DetError


def divide(shared: int, item: int) -> Iterator[float]:
    if item == 2:
        raise M2DetError('Two is wrong: take three.')
    yield shared / item


def test_a_job_is_tried_again_so_often_and_no_more() -> None:
    first, second = Job('a', lambda: 1), Job('b', lambda: 2)
    queue = JobQueue([first, second])

    assert queue.take() is first
    for number in range(1, RETRIES + 1):
        assert queue.died(first, f'by {number}') == Again(f'by {number}')
        # Before those that nobody has tried yet.
        assert queue.take() is first
    end = queue.died(first, 'by 4')

    assert end.reason.startswith('Its process died 4 times, at last so: by 4. Look ')
    assert queue.take() is second
    assert queue.take() is None


def test_an_error_ends_its_job_alone_and_is_a_sentence() -> None:
    jobs = [Job(item, lambda item=item: item) for item in (2, 0, 4)]
    # One that cannot be made.
    jobs.append(Job('none', lambda: {}['x']))

    events = list(SerialEngine().run(divide, jobs, 8))

    of = {key: [event for job, event in events if job.key == key] for key in (2, 0, 4)}
    assert of[2] == [Began(), Ended('Two is wrong: take three.', is_mendable=True)]
    assert of[4] == [Began(), Told(2.0), Ended()]
    assert of[0][0] == Began()
    assert of[0][1].reason.startswith('ZeroDivisionError: division by zero (')
    assert not of[0][1].is_mendable
    began, ended = (event for job, event in events if job.key == 'none')
    assert began == Began()
    assert ended.reason.startswith("KeyError: 'x' (")


def test_what_a_job_takes_is_made_when_its_turn_comes() -> None:
    made = count()
    jobs = [Job(name, lambda: next(made) + 1) for name in 'ab']

    events = SerialEngine().run(divide, jobs, 1)

    assert [next(events)[1] for _ in range(3)] == [Began(), Told(1.0), Ended()]
    assert next(made) == 1
