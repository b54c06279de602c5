"""A process that fails, dies or hangs ends the others, with a sentence."""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import all_reduce, barrier

from m2det_mmdet.apis.checks import start_processes
from m2det_mmdet.cli import _fail
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.processes import among_processes

# Seconds.
QUICK = {'timeout': 1, 'silence': 3}
# Where the silence of a process is not what is looked at.
PATIENT = {**QUICK, 'silence': 60}


def _job(work: Callable[[int], None], settings: dict) -> Callable[[int], int]:
    """Make what a command does: it ends in a status."""

    def run(rank: int) -> int:
        try:
            with among_processes():
                cfg = Config({'env_cfg': {'dist_cfg': settings}})
                start_processes(cfg, 'pytorch')
                work(rank)
        except Exception as error:
            return _fail('m2det train', error)
        return 0

    return run


def _send(number: int, rank: int = 1) -> Callable[[list[BaseProcess]], None]:
    def send(processes: list[BaseProcess]) -> None:
        time.sleep(2)
        os.kill(processes[rank].pid, number)

    return send


@pytest.mark.slow
def test_a_step_waits_for_a_hanging_process_for_a_time_only(
    run_processes: Callable,
) -> None:
    def hang(rank: int) -> None:
        if rank == 1:
            time.sleep(60)
        all_reduce(torch.ones(1))

    first, _ = run_processes(_job(hang, PATIENT), meanwhile=lambda _: None)

    assert first.result == 2
    assert first.seconds < 40
    assert 'm2det train: rank 0: Another process has ended or does not' in first.said


@pytest.mark.slow
def test_what_one_process_does_alone_may_take_longer_than_a_step(
    run_processes: Callable,
) -> None:
    def evaluate(rank: int) -> None:
        if rank == 0:
            # Longer than a step, and than the silence of a dead process.
            time.sleep(4)
        barrier()
        all_reduce(torch.ones(1))

    ended = run_processes(_job(evaluate, QUICK))

    assert [x.result for x in ended] == [0, 0], ended


@pytest.mark.parametrize(
    'number', [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)]
)
def test_who_waits_with_patience_learns_of_a_lost_process(
    number: int, run_processes: Callable
) -> None:
    def evaluate(rank: int) -> None:
        if rank == 1:
            time.sleep(60)
        barrier()

    first, lost = run_processes(
        _job(evaluate, QUICK), meanwhile=_send(number), seconds=20
    )

    assert lost.result is None
    assert first.seconds < 15
    assert first.result == 2 or first.code == 1
    assert 'rank' in first.said


def test_the_error_of_one_process_is_told_once(run_processes: Callable) -> None:
    def fail(rank: int) -> None:
        if rank == 1:
            raise M2DetError('The image b.jpg is missing: add it.')
        all_reduce(torch.ones(1))

    first, second = run_processes(_job(fail, PATIENT))

    assert [first.result, second.result] == [2, 2]
    assert first.said == ''
    assert second.said == 'm2det train: rank 1: The image b.jpg is missing: add it.\n'


def test_an_error_of_all_is_told_once(run_processes: Callable) -> None:
    def fail(_: int) -> None:
        raise M2DetError('The training has diverged.')

    ended = run_processes(_job(fail, PATIENT))

    assert [x.result for x in ended] == [2, 2], ended
    assert sorted(len(x.said.splitlines()) for x in ended) == [0, 1], ended
