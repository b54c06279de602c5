import json

import pytest

from m2det_mmdet import cli, diagnosis
from m2det_mmdet.cli import main
from m2det_mmdet.compat.environment import PackagesError
from m2det_mmdet.diagnosis import Diagnosis, Finding, State

FINDINGS = [
    Finding('Python', State.OK, '3.11.7', topic='Installation'),
    Finding('numba', State.NOTE, 'not installed', '`pip install it`', 'Packages'),
    Finding('MMCV', State.STOP, 'not installed', '`pip install mmcv`', 'Packages'),
    Finding('mmdet', State.STOP, 'not installed', '`pip install mmcv`', 'Packages'),
]
TABLE = """\
Installation
  ok       Python                   3.11.7
Packages
  note     numba                    not installed
  stop     MMCV                     not installed
  stop     mmdet                    not installed

What to do
  stop     MMCV, mmdet              `pip install mmcv`
  note     numba                    `pip install it`

m2det does not work: mend what is called a stop first.
"""


@pytest.fixture(autouse=True)
def mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command meet packages that it refuses, of which it is to tell."""

    def refuse() -> None:
        raise PackagesError('Two lines.')

    def diagnose(*, limit: float, on_finding: object = None) -> Diagnosis:
        assert limit == 7
        for finding in FINDINGS if on_finding else ():
            on_finding(finding)
        return Diagnosis({'torch': '2.13.0'}, FINDINGS)

    monkeypatch.setattr(cli, 'register', refuse)
    monkeypatch.setattr(diagnosis, 'diagnose', diagnose)


def test_a_line_for_each_finding_and_for_each_fix(
    capsys: pytest.CaptureFixture,
) -> None:
    assert main(['doctor', '--timeout', '7']) == 2
    assert capsys.readouterr().out == TABLE


def test_json_has_all_of_it_and_nothing_else_is_printed(
    capsys: pytest.CaptureFixture,
) -> None:
    assert main(['doctor', '--json', '--timeout', '7']) == 2

    content = json.loads(capsys.readouterr().out)
    assert [x['name'] for x in content['findings']] == [x.name for x in FINDINGS]
    assert content['versions'] == {'torch': '2.13.0'}


@pytest.mark.parametrize(
    ('findings', 'status', 'verdict'),
    [
        (FINDINGS[:1], 0, 'Sound.'),
        (FINDINGS[:2], 0, 'Sound.'),
        (
            [Finding('GPU', State.PROBLEM, 'is of no use', 'update the driver')],
            1,
            'm2det works, but not all of it: mend what is called a problem.',
        ),
    ],
)
def test_the_verdict_is_that_of_the_exit_status(
    findings: list[Finding],
    status: int,
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(diagnosis, 'diagnose', lambda **_: Diagnosis({}, findings))

    assert main(['doctor']) == status
    assert capsys.readouterr().out.splitlines()[-1] == verdict
