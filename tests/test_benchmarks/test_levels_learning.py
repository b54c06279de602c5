from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from m2det_mmdet.analysis.structure import build_structure
from m2det_mmdet.datasets.scenes import write_scenes


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('levels_learning')


def test_every_run_builds(script: ModuleType, tmp_path: Path) -> None:
    levels = {}
    for run in script.RUNS:
        model = build_structure(script.settings(run, tmp_path))
        levels[run] = len(model.neck.tums)

    for run, count in levels.items():
        head, *_ = run.split(' x ')
        assert count == (int(head) if head.isdecimal() else 8)


def test_gradients_are_compared_with_weights_part_by_part(script: ModuleType) -> None:
    def part(weight: float, gradient: float) -> nn.Module:
        layer = nn.Linear(1, 2, bias=False)
        nn.init.constant_(layer.weight, weight)
        layer.weight.grad = torch.full((2, 1), float(gradient))
        return layer

    neck = SimpleNamespace(base_fusion=part(1, 2), tums=[part(2, 1), part(4, 1)])
    model = SimpleNamespace(backbone=part(1, 3), neck=neck, bbox_head=part(5, 5))

    assert dict(script._ratios(model)) == pytest.approx(
        {'backbone': 3, 'base': 2, 'level 1': 0.5, 'level 2': 0.25, 'head': 1}
    )


@pytest.mark.slow
def test_the_tables_have_a_row_for_each_run_and_part(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_scenes(tmp_path, num_train=32, num_val=16, num_test=1, size=(128, 128))
    runs = ['1 x 26', 'no attention']
    options = ['--steps', '2', '--seeds', '3', '4', '--unseen', '1']

    script.main(['--data', str(tmp_path), *options, '--runs', *runs])

    _, by_run, by_level = capsys.readouterr().out.split('\n\n')
    cells = [row.strip('| ').split(' | ') for row in by_run.splitlines()]
    assert cells[0][2:5] == ['loss, seed 3', 'loss, seed 4', 'loss']
    for row, run in zip(cells[2:], runs, strict=True):
        first, second, mean = map(float, row[2:5])
        assert row[0] == run
        assert mean == pytest.approx((first + second) / 2, abs=1e-3)
    rows = [row.strip('| ').split(' | ') for row in by_level.splitlines()[2:]]
    parts = [row[1] for row in rows if row[0] == 'no attention']
    assert parts == [
        'backbone',
        'base',
        *(f'level {i}' for i in range(1, 9)),
        'head',
    ]
    # Without an attention all weights are one.
    assert {row[5] for row in rows if row[0] == 'no attention'} == {'-', '1.00'}
    assert '1.00' not in {row[5] for row in rows if row[0] == '1 x 26'}
