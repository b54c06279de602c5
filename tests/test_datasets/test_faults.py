"""Faults are collected by their kind, and the page on data lists all kinds."""

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import m2det_mmdet.analysis
import m2det_mmdet.datasets
from m2det_mmdet.datasets.error import DatasetError
from m2det_mmdet.datasets.faults import KINDS, Faults, Kind, Level, Strict

PAGE = Path(__file__).parents[2] / 'docs' / 'data.md'
NOTE, FAULT = (
    Kind(level.name, level, 'x', 'x.') for level in (Level.NOTE, Level.FAULT)
)


def test_faults_are_counted_and_the_first_are_shown() -> None:
    faults = Faults(shown=2)
    assert faults.level is Level.NOTE

    for number in (1, 2, 3):
        faults.report(NOTE, f'{number}.', number)
    faults.report(FAULT, '4.')

    found = faults.findings
    assert {name: x.count for name, x in found.items()} == {'NOTE': 6, 'FAULT': 1}
    assert found['NOTE'].examples == ['1.', '2.']
    assert faults.level is Level.FAULT


def test_an_example_is_one_line_with_all_spaces() -> None:
    faults = Faults()
    faults.report(FAULT, 'The image a\n b  c.jpg is torn.')

    assert faults.findings['FAULT'].examples == ['The image a\ufffd b  c.jpg is torn.']
    with pytest.raises(DatasetError, match=r'^A\ufffdfault\.$'):
        Strict().report(FAULT, 'A\nfault.')


def test_strict_reading_stops_at_the_first_that_is_no_note() -> None:
    faults = Strict()
    faults.report(NOTE, 'A note.')

    with pytest.raises(DatasetError, match=r'^A fault\.$'):
        faults.report(FAULT, 'A fault.')
    assert [*faults.findings] == ['NOTE']


def test_the_page_lists_all_kinds_of_faults_the_worst_first() -> None:
    # A kind is declared by the module that looks for it.
    for package in (m2det_mmdet.datasets, m2det_mmdet.analysis):
        for module in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):
            import_module(module.name)
    kinds = sorted(KINDS.values(), key=lambda kind: (-kind.level, kind.name))

    rows = [
        f'| `{kind.name}` | {kind.level.name.lower()} | {kind.what} | {kind.fix} |'
        for kind in kinds
    ]

    text = PAGE.read_text()
    table = text[text.index('| finding | level |') :].split('\n\n')[0]
    assert table.splitlines()[2:] == rows
