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
    metrics: dict[str, float] | None = None,
) -> str:
    """Write the report of a config that was trained once on each device."""
    runs = []
    for seed, device in enumerate(devices):
        run = Run(name, seed, out / f'seed_{seed}')
        result = {
            'train': {'epochs': 1, 'seconds': 60, 'peak_memory': 2**20},
            'test': {'coco/bbox_mAP': 0.5, **(metrics or {})},
            'measure': {
                'parameters': 1,
                'flops': 1,
                'seconds_an_image': 1,
                'device': device,
                'machine': 'one',
                'versions': {},
            },
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
        (['cuda', 'cpu'], 'the peak resident set of the training process'),
    ],
)
def test_a_note_tells_what_memory_is(
    devices: list[str], memory: str, tmp_path: Path
) -> None:
    assert f'- Memory is {memory}' in _page(tmp_path, devices=devices)


def test_a_bar_in_a_name_does_not_end_its_cell(tmp_path: Path) -> None:
    assert '\n| a\\|b | 0.00 |' in _page(tmp_path, name='a|b')
