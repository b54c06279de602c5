"""Each test starts processes, which are spared the import of MMDetection."""

import os
from pathlib import Path

import psutil
import pytest

from m2det_mmdet.jobs import Again, Ended, Job, Told, choose_engine

TASKS = """
import os, signal, time
from m2det_mmdet.utils.errors import M2DetError

def task(shared, item):
    print('printed')
    yield os.getpid(), os.environ.get('OMP_NUM_THREADS')
    if item == 'die':
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 'wrong':
        raise M2DetError(f'{shared} is wrong.')
    if item == 'wait':
        time.sleep(600)
    yield item
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """A module that the processes find where this one does."""
    (tmp_path / 'tasks_of_a_test.py').write_text(TASKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    # As the command has it, which imports MMDetection late.
    (tmp_path / 'sitecustomize.py').write_text(
        "import sys; sys.modules['m2det_command'] = sys\n"
    )
    places = [str(tmp_path), str(Path(__file__).parents[2])]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(places))
    import tasks_of_a_test

    return tasks_of_a_test


def test_a_process_that_dies_is_replaced_and_goes_on(
    tasks: object, capfd: pytest.CaptureFixture
) -> None:
    items = {'dies once': iter(['die', 'well']), 'wrong': iter(['wrong'])}
    jobs = [Job(key, lambda of=of: next(of)) for key, of in items.items()]

    events = list(choose_engine(job_cpus=1).run(tasks.task, jobs, 'It'))

    told = [event.message for _, event in events if isinstance(event, Told)]
    (first, threads), (second, _), what, (third, _) = told
    assert (what, threads) == ('well', '1')
    # The one that did not die does the next job, too.
    assert first != second == third != os.getpid()
    (again,) = (event for _, event in events if isinstance(event, Again))
    assert again.reason == (
        'ended by SIGKILL, probably out of memory; its last line was: printed'
    )
    ends = {job.key: event for job, event in events if isinstance(event, Ended)}
    assert ends == {'dies once': Ended(), 'wrong': Ended('It is wrong.')}
    assert not psutil.pid_exists(second)
    assert capfd.readouterr().out == ''


@pytest.mark.slow
def test_an_interruption_ends_the_processes(tasks: object) -> None:
    jobs = [Job(number, lambda: 'wait') for number in range(2)]
    engine = choose_engine(jobs=2)

    events = engine.run(tasks.task, jobs)
    pids = set()
    while len(pids) < 2:
        _, event = next(events)
        if isinstance(event, Told):
            pids.add(event.message[0])
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt)

    assert not any(map(psutil.pid_exists, pids))
