from collections.abc import Callable
from types import ModuleType

import pytest

from m2det_mmdet.analysis.complexity import Complexity
from m2det_mmdet.apis.tabulation import FamilyMember


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('family')


def member(name: str) -> FamilyMember:
    cost = Complexity((64, 64), parameters=1, flops=2_000_000_000)
    return FamilyMember(name, name, None, None, cost, None)


def test_a_ratio_is_the_median_of_those_round_by_round(script: ModuleType) -> None:
    # The second round is slow for all.
    seconds = {'one': [0.1, 1.0, 0.1], 'two': [0.2, 2.0, 0.3]}

    rows = script.summarise([member('one'), member('two')], seconds)

    first = {'config': 'one', 'GFLOP': '2.0', 'ms': '100.0', 'fastest': '100.0'}
    assert rows[0] == {**first, 'ratio': '1.00', 'GFLOP/s': '20.0'}
    assert (rows[1]['ms'], rows[1]['ratio']) == ('300.0', '2.00')
    assert rows[1]['GFLOP/s'] == '6.7'


def test_networks_are_timed_in_turn(
    script: ModuleType, capsys: pytest.CaptureFixture
) -> None:
    names = ['levels_1x100_scenes', 'levels_2x63_scenes']

    script.main(['levels', '--only', *names, '--rounds', '2'])

    table = capsys.readouterr().out.split('\n\n')[1]
    assert [line.split(' | ')[0] for line in table.splitlines()[2:]] == [
        f'| {name}' for name in names
    ]
    # What the README of the family tells.
    assert [line.split(' | ')[1] for line in table.splitlines()[2:]] == ['0.2', '0.2']
