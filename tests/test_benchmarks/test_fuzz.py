"""A few of the changed files of the fuzz benchmark, and what counts them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('fuzz')


def test_changed_files_work_or_end_in_one_sentence(
    script: ModuleType, tmp_path: Path
) -> None:
    subject = script.Subject()
    cases = [('annotations', x) for x in range(3)] + [('images', x) for x in range(5)]
    found: Counter = Counter()
    for kind, number in cases:
        root = tmp_path / f'{kind}-{number}'
        made = script.MAKERS[kind](root, number, 7)
        for name in script.STEPS:
            step = getattr(subject, name)
            outcome = script.outcome_of(step, root, tmp_path / f'out-{kind}-{number}')
            assert outcome in ('worked', 'sentence'), (kind, number, made, name)
            found[outcome] += 1
    assert found['worked'] > 2
    assert found['sentence'] > 2


def test_outcomes_are_told_apart(script: ModuleType, tmp_path: Path) -> None:
    def outcome(step: object) -> str:
        return script.outcome_of(step, tmp_path, tmp_path)

    def fail(error: Exception) -> object:
        def step(*_: Path) -> str:
            raise error

        return step

    assert outcome(lambda *_: 'worked') == 'worked'
    assert outcome(fail(script.M2DetError('The file a is empty.'))) == 'sentence'
    assert outcome(fail(script.M2DetError('no end'))).startswith('traceback')
    assert outcome(fail(KeyError('a'))).startswith('traceback: KeyError')
    assert outcome(fail(TimeoutError('long'))) == 'hang: long'
    assert script.worst({'check': 'worked', 'train': 'hang: x'}) == 'hang'
    counts = {'png': Counter(worked=2, crash=1)}
    assert '| all | 3 | 2 | 0 | 0 | 0 | 0 | 1 |' in script.table('kind', counts)
