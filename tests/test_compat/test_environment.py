from pathlib import Path

import pytest

from m2det_mmdet.compat import check_environment, environment
from m2det_mmdet.compat.environment import (
    TESTED,
    find_danger,
    find_faults,
    find_problem,
    lines_of,
)

ONEDL = {
    'onedl-mmdetection': '3.5.1',
    'onedl-mmcv': '2.3.6',
    'onedl-mmengine': '0.10.12',
    'torch': '2.13.0+cpu',
}
OPENMMLAB = {
    'mmdet': '3.3.0',
    'mmcv-lite': '2.1.0',
    'mmengine': '0.10.7',
    'torch': '2.13.0',
}
MODULES = ('mmdet', 'mmcv', 'mmengine', 'torch')


def test_this_environment_passes() -> None:
    check_environment()


def test_another_stops_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {**ONEDL, 'onedl-mmcv': '2.3.4'}
    monkeypatch.setattr(environment, 'installed_versions', lambda names: versions)
    with pytest.raises(ImportError, match=r'onedl-mmcv 2\.3\.4'):
        check_environment()


@pytest.mark.parametrize(
    'versions',
    [
        ONEDL,
        OPENMMLAB,
        {**OPENMMLAB, 'mmcv': '2.1.0'},
        # A source checkout has modules and no distribution.
        {'mmcv-lite': '2.1.0', 'mmengine': '0.10.7'},
        {},
    ],
)
def test_good_environments_pass(versions: dict[str, str]) -> None:
    assert find_problem(versions, MODULES) is None


@pytest.mark.parametrize(
    ('versions', 'missing', 'words'),
    [
        ({}, {'mmdet', 'mmcv', 'mmengine'}, 'MMDetection and MMCV and MMEngine'),
        ({}, {'mmdet', 'mmcv', 'mmengine'}, "pip install 'm2det[onedl]'"),
        (ONEDL, {'mmcv'}, "needs MMCV, .*'m2det[onedl]'"),
        (OPENMMLAB, {'mmcv'}, "needs MMCV, .*'m2det[openmmlab]'"),
        (OPENMMLAB, {'mmengine'}, 'needs MMEngine'),
        ({}, {'torch'}, 'needs PyTorch'),
    ],
)
def test_what_is_missing_is_named(
    versions: dict[str, str], missing: set[str], words: str
) -> None:
    problem = find_problem(versions, [name for name in MODULES if name not in missing])

    assert_sentence_with(problem, *words.split('.*'))


def test_mixed_lines_are_named_with_the_repair() -> None:
    problem = find_problem({**ONEDL, **OPENMMLAB}, MODULES)

    assert_sentence_with(
        problem,
        'pip uninstall onedl-mmdetection onedl-mmcv onedl-mmengine '
        'mmdet mmcv-lite mmengine',
        "pip install 'm2det[onedl]'",
    )


@pytest.mark.parametrize(
    ('line', 'name', 'version', 'wanted'),
    [
        (ONEDL, 'onedl-mmdetection', '3.4.5', 'onedl-mmdetection>=3.5.1,<4'),
        (ONEDL, 'onedl-mmcv', '2.3.4', 'onedl-mmcv>=2.3.6,<3'),
        # Compared as numbers: 0.10.9 comes before 0.10.12.
        (ONEDL, 'onedl-mmengine', '0.10.9', 'onedl-mmengine>=0.10.12,<1'),
        (OPENMMLAB, 'mmdet', '3.2.0', 'mmdet>=3.3.0,<4'),
        (OPENMMLAB, 'mmcv', '2.2.0', 'mmcv>=2.1.0,<2.2.0'),
        (OPENMMLAB, 'torch', '2.5.1', 'torch>=2.6'),
    ],
)
def test_unsupported_versions_are_named(
    line: dict[str, str], name: str, version: str, wanted: str
) -> None:
    problem = find_problem({**line, name: version}, MODULES)

    assert_sentence_with(problem, f'{name} {version}', f"pip install '{wanted}'")


def assert_sentence_with(problem: str | None, *parts: str) -> None:
    assert problem is not None
    assert problem.endswith('.')
    assert '\n' not in problem
    for part in parts:
        assert part in problem


def test_a_pytorch_in_which_checkpoints_run_code_is_refused() -> None:
    problem = find_problem({**ONEDL, 'torch': '2.5.1+cu124'}, [*MODULES, 'torch'])

    assert_sentence_with(
        problem, 'torch 2.5.1+cu124', 'CVE-2025-32434', "pip install 'torch>=2.6'"
    )


def test_a_pytorch_that_checkpoints_can_harm_warns_at_the_import(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    versions = {**ONEDL, 'torch': '2.9.1'}
    monkeypatch.setattr(environment, 'framework_versions', lambda: versions)
    with caplog.at_level('WARNING', 'm2det_mmdet'):
        environment.check_environment()

    (record,) = caplog.records
    assert 'CVE-2026-24747' in record.message


@pytest.mark.parametrize(
    ('version', 'is_safe'),
    [('2.6.0', False), ('2.9.1+cu128', False), ('2.10.0', True), ('2.13.0+cpu', True)],
)
def test_a_pytorch_that_checkpoints_can_harm_is_told_of(
    version: str, is_safe: bool
) -> None:
    danger = find_danger({'torch': version})

    assert (danger is None) == is_safe
    assert is_safe or f'PyTorch {version} can be harmed' in danger.sentence


def test_the_tested_set_is_that_of_the_constraints() -> None:
    constraints = Path(__file__).parents[2] / 'constraints.txt'
    lines = constraints.read_text().splitlines()
    pins = dict(line.split('==') for line in lines if '==' in line)

    # What only the tests, the site or Ray need is no part of an installation.
    tools = {
        'hypothesis', 'import-linter', 'ipykernel', 'mkdocstrings-python', 'nbclient',
        'psutil', 'pytest', 'pytest-xdist', 'ray', 'ruff', 'zensical',
    }  # fmt: skip
    assert {name: pins[name] for name in pins if name not in tools} == TESTED


def test_all_faults_are_found_worst_first() -> None:
    versions = {**ONEDL, 'mmcv': '2.2.0', 'onedl-mmengine': '0.10.9'}

    faults = list(find_faults(versions, ['mmdet', 'mmcv', 'torch']))

    assert [fault.what.split(',')[0] for fault in faults] == [
        'Two lines of MMDetection are installed over each other',
        'm2det needs MMEngine',
        'm2det does not work with onedl-mmengine 0.10.9',
        'm2det does not work with mmcv 2.2.0',
    ]
    assert all(fault.fix for fault in faults)


@pytest.mark.parametrize(
    ('versions', 'lines'),
    [
        (ONEDL, ['onedl']),
        (OPENMMLAB, ['open-mmlab']),
        (ONEDL | OPENMMLAB, ['onedl', 'open-mmlab']),
        ({'torch': '2.13.0'}, []),
    ],
)
def test_the_lines_are_told_by_their_parts(
    versions: dict[str, str], lines: list[str]
) -> None:
    assert lines_of(versions) == lines
