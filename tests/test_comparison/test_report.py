import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from m2det_mmdet.comparison.report import Comparison, write_report
from m2det_mmdet.comparison.run import Run


def _page(
    out: Path,
    *,
    name: str = 'small',
    devices: Sequence[str] = ('cpu',),
    changes: Sequence[dict] = ({}, {}),
    metrics: dict[str, float] | None = None,
) -> str:
    """Write the report of a config that was trained once on each device."""
    runs = []
    for seed, (device, change) in enumerate(zip(devices, changes, strict=False)):
        run = Run(name, seed, out / f'seed_{seed}')
        result = {
            'train': {'epochs': 1, 'seconds': 60, 'peak_memory': 2**20},
            'test': {'coco/bbox_mAP': 0.5, **(metrics or {})},
            'measure': {
                'parameters': 1,
                'flops': 1,
                'seconds_an_image': 1 + seed,
                'device': device,
                'machine': 'one',
                'versions': {'torch': '9'},
                **change.get('measure', {}),
            },
            **{key: change[key] for key in change if key != 'measure'},
        }
        run.folder.mkdir()
        (run.folder / 'result.json').write_text(json.dumps(result))
        runs.append(run)
    write_report(Comparison(runs, '1 epoch', {'name': 'cells'}), out)
    return (out / 'comparison.md').read_text()


def test_groups_of_classes_and_masks_get_columns_behind_those_of_coco(
    tmp_path: Path,
) -> None:
    metrics = {
        'coco/segm_mAP': 0.4,
        'coco/bbox_mAP_plain': 0.7,
        'coco/bbox_mAP_s': 0.1,
        'coco/bbox_mAP_m': 0.2,
        'coco/bbox_mAP_l': -1.0,
    }
    lines = _page(tmp_path, metrics=metrics).splitlines()
    table = [line.strip('| ').split(' | ') for line in lines if line.startswith('|')]
    titles, _, row = table

    assert dict(zip(titles[7:], row[7:], strict=True)) == {
        # Results of version 1.0.0 have no loss.
        'loss': '-',
        'AP': '0.500',
        'AP50': '-',
        'AP75': '-',
        'AP_S': '0.100',
        'AP_M': '0.200',
        'AP_L': '-',
        'AP_plain': '0.700',
        'mask AP': '0.400',
    }


@pytest.mark.parametrize(
    ('devices', 'memory'),
    [
        (['cuda'], "what PyTorch's allocator gave out at most"),
        (['cpu'], 'the peak resident set of the training process'),
        (
            ['cuda', 'cpu'],
            "what PyTorch's allocator gave out at most on a GPU, else the",
        ),
    ],
)
def test_a_note_tells_what_memory_is(
    devices: list[str], memory: str, tmp_path: Path
) -> None:
    assert f'- Memory is {memory}' in _page(tmp_path, devices=devices)


def test_a_bar_in_a_name_does_not_end_its_cell(tmp_path: Path) -> None:
    assert '\n| a\\|b | 0.00 |' in _page(tmp_path, name='a|b')


TRAINED_ELSEWHERE = {'train': ['GPU; torch 9'], 'test': ['one; torch 9']}


@pytest.mark.parametrize(
    ('change', 'second'),
    [
        ({'measure': {'machine': 'two'}}, 'two; torch 9'),
        ({'measure': {'versions': {'torch': '10'}}}, 'one; torch 10'),
        ({'machines': TRAINED_ELSEWHERE}, 'GPU; torch 9, then one; torch 9'),
        (
            {'measure': {'device': 'cuda', 'cudnn_benchmark': True}},
            'one; torch 9; timed with cudnn_benchmark',
        ),
    ],
)
def test_no_mean_is_taken_over_machines_and_versions(
    change: dict, second: str, tmp_path: Path
) -> None:
    page = _page(tmp_path, devices=['cpu', 'cpu'], changes=[{}, change])

    first_row, second_row = (x for x in page.splitlines() if x.startswith('| small'))
    assert first_row.startswith('| small, machine 1 | 0.00 | 0.00 | 1000.0 |')
    assert second_row.startswith('| small, machine 2 | 0.00 | 0.00 | 2000.0 |')
    assert '- Machine 1: one; torch 9.\n' in page
    assert f'- Machine 2: {second}.\n' in page
    with (tmp_path / 'comparison.csv').open() as file:
        rows = [
            (row['config'], row['machine'], row['seeds'])
            for row in csv.DictReader(file)
        ]
    assert rows == [('small', 'one; torch 9', '1'), ('small', second, '1')]
    content = json.loads((tmp_path / 'comparison.json').read_text())
    assert [entry['machine'] for entry in content['configs']] == [
        'one; torch 9',
        second,
    ]


def test_one_machine_is_named_once_and_its_seeds_have_a_mean(tmp_path: Path) -> None:
    page = _page(tmp_path, devices=['cpu', 'cpu'])

    assert '\n| small | 0.00 | 0.00 | 1500.0 +- 707.1 |' in page
    assert '- Machine: one; torch 9.\n' in page


def test_what_was_scaled_is_told_once_for_configs_that_share_it(tmp_path: Path) -> None:
    runs = [Run(name, 0, tmp_path / name) for name in 'abc']
    remarks = {'a': ['x became y', 'z'], 'b': [], 'c': ['x became y', 'z']}

    write_report(Comparison(runs, '1 epoch', {'name': 'cells'}, remarks), tmp_path)

    assert (
        '\n- Schedule of a, c: x became y; z.\n'
        in (tmp_path / 'comparison.md').read_text()
    )
