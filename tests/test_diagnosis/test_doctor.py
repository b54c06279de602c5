"""The list of checks is gone through, whatever becomes of each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from m2det_mmdet.diagnosis import Finding, State, diagnose, doctor
from m2det_mmdet.diagnosis.checks import CHECKS, Check
from m2det_mmdet.diagnosis.child import answer
from m2det_mmdet.diagnosis.children import ChildError

ROOT = Path(__file__).parents[2]
OK, NOTE, PROBLEM, STOP = State
# Without site packages: no package is there at all.
BARE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from m2det_command import main
sys.exit(main())
"""


class Scripted:
    """A child that answers as the name of a check says, or dies of it."""

    begun = 0

    def __init__(self) -> None:
        type(self).begun += 1

    def ask(self, question: str, limit: float) -> str:
        name = json.loads(question)['name']
        if 'deadly' in name:
            raise ChildError('ends Python (SIGSEGV)')
        state = PROBLEM if 'bad' in name else OK
        return json.dumps([[name, int(state), f'in {limit:g} s', '']])

    def close(self) -> None:
        pass


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    monkeypatch.setattr(doctor, 'Child', Scripted)
    monkeypatch.setattr(Scripted, 'begun', 0)
    return Scripted


def run(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> list[tuple[str, int, str]]:
    monkeypatch.setattr(doctor, 'CHECKS', checks)
    return [(x.name, x.state, x.found) for x in diagnose(limit=7).findings]


def check(name: str, **options: object) -> Check:
    return Check('Topic', name, 'module', 'function', **options)


def test_a_death_costs_itself_and_what_needs_it(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(
        monkeypatch,
        check('good'),
        check('deadly'),
        check('needs it', needs=('good', 'deadly')),
        check('needs that', needs=('needs it',)),
        check('uses it', uses=('deadly',)),
        check('stands alone', needs=('good',)),
    )

    assert found == [
        ('good', OK, 'in 7 s'),
        ('deadly', PROBLEM, 'ends Python (SIGSEGV)'),
        ('needs it', NOTE, 'not tried, because of deadly'),
        ('needs that', NOTE, 'not tried, because of needs it'),
        ('uses it', NOTE, 'not tried, because of deadly'),
        ('stands alone', OK, 'in 7 s'),
    ]
    assert scripted.begun == 2


def test_a_fault_keeps_what_needs_it_but_not_what_uses_it(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(
        monkeypatch,
        check('bad'),
        check('needs it', needs=('bad',)),
        check('uses it', uses=('bad',)),
    )

    assert [state for _, state, _ in found] == [PROBLEM, NOTE, OK]
    assert scripted.begun == 1


def test_each_finding_is_told_as_it_comes(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, 'CHECKS', (check('a'), check('bad')))
    told: list[Finding] = []

    diagnosis = diagnose(on_finding=told.append)

    assert told == diagnosis.findings
    assert {x.topic for x in told} == {'Topic'}
    assert diagnosis.status == 1


def test_without_a_process_there_is_one_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OSError(11, 'Resource temporarily unavailable')

    monkeypatch.setattr(doctor, 'Child', fail)

    (found,) = run(monkeypatch, check('a'), check('b'))

    assert found[:2] == ('process', STOP)
    assert 'Resource temporarily unavailable' in found[2]


def test_names_of_checks_are_known() -> None:
    names = [check.name for check in CHECKS]

    assert len({*names}) == len(names)
    for number, one in enumerate(CHECKS):
        # Those that come later would not hold it up.
        assert {*one.needs, *one.uses} <= {*names[:number]}, one.name


class InProcess(Scripted):
    """A child that carries checks out in this process."""

    def ask(self, question: str, limit: float) -> str:
        return json.dumps(answer(json.loads(question)))


def test_this_installation_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, 'Child', InProcess)

    diagnosis = diagnose()

    # The others are faults of a machine.
    parts = ('Packages', 'Operators', 'Detector')
    amiss = [x for x in diagnosis.findings if x.state >= PROBLEM and x.topic in parts]
    assert amiss == []
    topics = dict.fromkeys(x.topic for x in diagnosis.findings)
    assert list(topics) == list(dict.fromkeys(x.topic for x in CHECKS))
    assert not [x for x in diagnosis.findings if x.found.startswith('not tried')]
    assert {'m2det', 'python', 'system', 'torch'} <= {*diagnosis.versions}


def test_it_runs_where_nothing_is_installed() -> None:
    command = [sys.executable, '-I', '-S', '-c', BARE, str(ROOT), 'doctor', '--json']

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, '')
    findings = {x['name']: x for x in json.loads(done.stdout)['findings']}
    for name in ('line of MMDetection', 'NumPy', 'PyTorch', 'Pillow'):
        assert findings[name]['state'] == 'stop', name
        assert findings[name]['fix'].startswith('`pip install '), name
    assert findings['detector']['found'] == 'not tried, because of registration'
    assert findings['working folder']['state'] in ('ok', 'problem')
