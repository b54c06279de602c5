import json
from pathlib import Path

import pytest

from m2det_mmdet.diagnosis import Diagnosis, State
from m2det_mmdet.diagnosis.findings import note, ok, problem, stop, without_home


@pytest.mark.parametrize(
    ('findings', 'status'),
    [
        ([], 0),
        ([ok('a', 'is there')], 0),
        ([ok('a', 'is there'), note('b', 'is not')], 0),
        ([problem('a', 'slow', 'hurry'), note('b', 'is not')], 1),
        ([stop('a', 'lost', 'look'), problem('b', 'slow', 'hurry')], 2),
    ],
)
def test_the_worst_finding_decides(findings: list, status: int) -> None:
    assert Diagnosis({}, findings).status == status


def test_the_json_has_versions_and_all_findings() -> None:
    diagnosis = Diagnosis({'torch': '2.13.0'}, [stop('disk', 'is full', 'make room')])

    assert json.loads(diagnosis.to_json()) == {
        'state': 'stop',
        'versions': {'torch': '2.13.0'},
        'findings': [
            {
                'name': 'disk',
                'state': 'stop',
                'found': 'is full',
                'fix': 'make room',
                'topic': '',
            }
        ],
    }


@pytest.mark.parametrize(
    ('text', 'short'),
    [
        ('{home}/runs is full', '~/runs is full'),
        ('{home}: no space', '~: no space'),
        # Another folder whose name begins like it.
        ('{home}land/runs', '{home}land/runs'),
    ],
)
def test_the_home_folder_is_not_told(
    text: str, short: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / 'ann'
    monkeypatch.setenv('HOME', str(home))
    text, short = (x.format(home=home) for x in (text, short))

    finding = without_home(problem('disk', text, f'look at {text}'))

    assert (finding.found, finding.fix) == (short, f'look at {short}')
    assert finding.state == State.PROBLEM


def test_without_a_home_folder_nothing_is_shortened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('HOME', '/')

    assert without_home(ok('a', '/: 5 GB free')).found == '/: 5 GB free'
