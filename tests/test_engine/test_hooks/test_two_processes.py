"""Hooks that decide for several processes at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from m2det_mmdet.engine.hooks.time_budget_hook import annealing


@pytest.fixture(scope='module')
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each process did; see ``process.py``."""
    folder = tmp_path_factory.mktemp('processes')
    script = Path(__file__).with_name('process.py')
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(folder)],
            env={**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in range(2)]


@pytest.mark.slow
def test_a_budget_ends_by_the_clock_of_the_first_process(found: list) -> None:
    first, second = (process['budget'] for process in found)

    assert first == second
    # The first one's clock starts at 1 and is asked twice an iteration, the other one's
    # goes twice as fast.
    expected = [0.5 * annealing(second / 5) for second in (1, 3, 5)]
    assert first['rates'] == pytest.approx(expected)
    assert first['seconds'] == 7
    # Gradients are the means of both: of 0 and 1, of 2 and 3, of 4 and 5.
    moves = [rate * mean for rate, mean in zip(expected, (0.5, 2.5, 4.5), strict=True)]
    assert float(first['weight']) == pytest.approx(1 - sum(moves))


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_process_is_left_out_by_both(
    found: list,
) -> None:
    first, second = (process['skip'] for process in found)

    assert first['weight'] == second['weight']
    assert (first['skipped'], second['skipped']) == (1, 1)
    # Means of 0 and 1, of 2 and 3, not of 4 and NaN, ...
    assert float(first['weight']) == pytest.approx(
        1 - 0.5 * sum((0.5, 2.5, 6.5, 8.5, 10.5))
    )
    assert 'Iteration 3: loss is nan, and its step is left out' in found[0]['log']


@pytest.mark.slow
def test_processes_leave_a_step_of_accumulated_gradients_out(found: list) -> None:
    first, second = (process['accumulation'] for process in found)

    assert first['weight'] == second['weight']
    assert (first['skipped'], second['skipped']) == (1, 1)
    # Of six batches the first three are one step, which the third one spoils.
    assert float(first['weight']) == pytest.approx(1 - 0.5 * sum((6.5, 8.5, 10.5)) / 3)


@pytest.mark.slow
def test_processes_that_diverge_stop_together(found: list) -> None:
    first, second = (process['divergence'] for process in found)

    assert first['rates'] == second['rates'] == [0.5] * 3
    assert first['error'] == second['error']
    assert first['error'].startswith(
        'The training has diverged: loss is nan after 4 iterations, and the last 2 '
    )
