import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from m2det_mmdet.analysis.speed import Speed, Timing
from m2det_mmdet.analysis.speed_report import SpeedReport
from m2det_mmdet.apis import benchmarking
from m2det_mmdet.cli import main

RANDOM = 'The weights are random'
FEW = ('--images', '3', '--warm-up', '1')


@pytest.fixture(autouse=True)
def small_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the product of matrices, which takes longest."""
    monkeypatch.setattr(benchmarking, 'matmul_flops_per_second', lambda *args: 5e9)


def _bench(config: str, *argv: str | Path) -> int:
    return main(['bench', config, *map(str, argv)])


def test_a_checkpoint_and_images_give_a_table_and_json(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'new' / 'speed.json'
    argv = ('--checkpoint', trained.checkpoint, '--image-dir', trained.scenes / 'val')

    status = _bench(
        trained.config, *FEW, *argv, '--batch-sizes', '2', '2', '--out', out
    )

    assert status == 0
    text = capsys.readouterr().out
    assert RANDOM not in text
    for words in (
        'small, 128x128',
        'val, 3; 3 calls timed one by one',
        'product',
        'peak resident',
    ):
        assert words in text
    report = json.loads(out.read_text())
    assert report['checkpoint'] == trained.checkpoint
    assert report['images'] == str(trained.scenes / 'val')
    assert report['product_flops_per_second'] == 5e9
    assert re.fullmatch(r'soft_nms, \w+ kernel', report['suppression'])
    assert [speed['batch_size'] for speed in report['speeds']] == [1, 2]
    assert [speed['total']['calls'] for speed in report['speeds']] == [3, 2]
    for speed in report['speeds']:
        assert speed['input_size'] == [128, 128]
        assert speed['images_per_second'] == pytest.approx(
            speed['batch_size'] / speed['total']['median']
        )
        assert speed['network_flops_per_second'] == pytest.approx(
            report['flops'] * speed['batch_size'] / speed['network']['median']
        )


def test_random_weights_are_told_of(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'speed.json'

    assert _bench(trained.config, *FEW, '--out', out) == 0

    assert f'{RANDOM}: the times of suppression' in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert report['checkpoint'] is None
    assert report['images'] is None
    assert report['distinct_images'] == 3
    assert RANDOM in report['notes'][-1]


def test_an_accelerated_network_says_so(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'speed.json'
    argv = ('--fast', '--autocast', 'bfloat16', '--out', out)

    assert _bench(trained.config, *FEW, *argv) == 0

    assert 'fold_norm=True' in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert report['acceleration']['autocast'] == 'bfloat16'
    assert report['product_dtype'] == 'bfloat16'


@pytest.mark.parametrize(('lack', 'rate'), [('no bf16', None), (None, 5e9)])
def test_a_product_that_would_take_minutes_is_left_out(
    monkeypatch: pytest.MonkeyPatch, lack: str | None, rate: float | None
) -> None:
    monkeypatch.setattr(benchmarking, 'slow_precision', lambda *args: lack)

    assert benchmarking._product(torch.device('cpu'), 'bfloat16') == rate


def test_images_go_through_the_pipeline_as_in_a_test(trained: SimpleNamespace) -> None:
    cfg = Config.fromfile(trained.config)

    first, *rest = benchmarking._images(cfg, str(trained.scenes / 'val'), 2)

    assert len(rest) == 1
    assert first['inputs'].shape == (3, 128, 128)
    picture = cv2.imread(str(trained.scenes / 'val' / '000001.jpg'))
    assert np.array_equal(first['inputs'].permute(1, 2, 0).numpy(), picture)
    assert first['data_samples'].scale_factor == (1, 1)


def test_random_images_are_the_same_each_time(trained: SimpleNamespace) -> None:
    cfg = Config.fromfile(trained.config)

    first, again = (benchmarking._images(cfg, None, 2) for _ in range(2))

    assert len(first) == 2
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one['inputs'], other['inputs'])
    assert not torch.equal(first[0]['inputs'], first[1]['inputs'])


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (
            ['--images', '0'],
            '--images: must be at least 1, got 0',
        ),
        (
            ['--warm-up', '-1'],
            '--warm-up: must be at least 0, got -1',
        ),
        (
            ['--batch-sizes', '2', '0'],
            '--batch-sizes: must be at least 1',
        ),
        (['--checkpoint', 'no.pth'], 'There is no checkpoint no.pth'),
        (['--checkpoint', 'PART'], 'The checkpoint does not fit the config'),
        (['--device', 'abacus'], 'device abacus cannot be used here'),
        (['--image-dir', 'no'], 'There is no image, folder or match of no'),
        (['--image-dir', 'EMPTY'], 'There is no image in'),
        (['--image-dir', 'BROKEN'], 'text.jpg is no image that can be read'),
        (['--out', 'THERE'], 'exists: give another name, or --force'),
        (['--out', 'EMPTY'], 'is a folder: give the name of a file'),
        (['--cfg-options', 'model.neck.num_levels=0'], 'does not build'),
    ],
)
def test_what_is_wrong_is_told_before_measuring(
    argv: list[str],
    message: str,
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(benchmarking, 'measure_speed', None)
    names = {
        'EMPTY': tmp_path / 'empty',
        'BROKEN': tmp_path / 'broken',
        'THERE': tmp_path / 'there.json',
        'PART': tmp_path / 'part.pth',
    }
    names['EMPTY'].mkdir()
    names['BROKEN'].mkdir()
    (names['BROKEN'] / 'text.jpg').write_text('no image')
    names['THERE'].write_text('mine')
    weights = torch.load(trained.checkpoint, weights_only=False)['state_dict']
    weights.pop('bbox_head.cls_convs.0.0.weight')
    torch.save(weights, names['PART'])

    assert _bench(trained.config, *(names.get(word, word) for word in argv)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('m2det bench: ')
    assert message in error
    assert names['THERE'].read_text() == 'mine'


@pytest.mark.parametrize(
    ('device', 'images', 'expected'),
    [('cpu', None, (20, 3)), ('cuda', None, (1000, 20)), ('cuda', 7, (7, 20))],
)
def test_the_paper_has_a_thousand_images_and_a_cpu_fewer(
    device: str, images: int | None, expected: tuple[int, int]
) -> None:
    assert benchmarking._counts(images, None, torch.device(device)) == expected


def test_an_unknown_config_ends_in_one_sentence(capsys: pytest.CaptureFixture) -> None:
    assert _bench('m2det_vgg_32') == 2
    assert 'did you mean m2det_vgg_320' in capsys.readouterr().err


def test_a_config_needs_a_pipeline(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = Config.fromfile(trained.config)
    config.pop('test_dataloader')
    config.dump(tmp_path / 'no_test.py')

    assert _bench(str(tmp_path / 'no_test.py')) == 2
    assert 'has no test_dataloader' in capsys.readouterr().err


def test_an_output_is_replaced_where_that_is_asked_for(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    out = tmp_path / 'speed.json'
    out.write_text('old')

    assert _bench(trained.config, *FEW, '--out', out, '--force') == 0
    assert json.loads(out.read_text())['config'] == 'small'


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no batch of more than two images fit."""

    def measure(model: nn.Module, images: list, *, batch_size: int, **kw: int) -> Speed:
        if batch_size > 2:
            raise torch.OutOfMemoryError('Out of memory.\nIt takes 9 GiB.')
        timing = Timing(median=0.5, low=0.5, high=0.5, calls=kw['repeats'])
        return Speed(batch_size, (128, 128), timing, timing, timing, 1.0, 2**20)

    monkeypatch.setattr(benchmarking, 'measure_speed', measure)


@pytest.mark.usefixtures('small_memory')
def test_a_batch_that_does_not_fit_leaves_the_others(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'speed.json'

    assert _bench(trained.config, '--batch-sizes', '4', '2', '--out', out) == 1

    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    failed = next(line for line in lines if line.startswith('batch size 4 failed: '))
    assert failed.startswith('batch size 4 failed: OutOfMemoryError: Out of memory')
    assert [line.split()[1] for line in lines if line.startswith('| ')][2:] == [
        '1',
        '2',
    ]
    assert 'Batch size 2: 4.00 images/s' in shown.err
    report = json.loads(out.read_text())
    assert [speed['batch_size'] for speed in report['speeds']] == [1, 2]
    assert report['failures'] == [
        {'part': 'batch size 4', 'reason': failed.partition('failed: ')[2]}
    ]


@pytest.mark.usefixtures('small_memory')
def test_what_cannot_be_counted_leaves_the_timings(
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fail(*args: object) -> None:
        raise NotImplementedError(f'no kernel for {len(args)}')

    monkeypatch.setattr(benchmarking, 'measure', fail)
    monkeypatch.setattr(benchmarking, 'matmul_flops_per_second', fail)
    out = tmp_path / 'speed.json'

    assert _bench(trained.config, '--out', out) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(' (')[0] for line in lines[-3:-1]] == [
        'count of operations failed: NotImplementedError: no kernel for 1',
        'product of matrices failed: NotImplementedError: no kernel for 2',
    ]
    report = json.loads(out.read_text())
    assert report['speeds'][0]['images_per_second'] == 2
    assert report['flops'] is report['product_flops_per_second'] is None


def test_a_product_that_failed_leaves_the_networks_rate() -> None:
    timing = Timing(median=0.5, low=0.5, high=0.5, calls=1)
    speed = Speed(1, (4, 6), timing, timing, timing, 0, None)
    facts = dict.fromkeys(field.name for field in fields(SpeedReport))
    facts |= {'machine': 'CPU', 'speeds': [speed], 'flops': 3e9, 'versions': {}}
    facts |= {'images': 'x', 'failures': []}

    lines = SpeedReport(**facts).to_text().splitlines()

    (row,) = (line.split() for line in lines if line.startswith('|     1 |'))
    assert row[-6:] == ['6.0', '|', '-', '|', '-', '|']
    assert not any(line.startswith('Product') for line in lines)


def test_where_nothing_can_be_timed_the_reasons_are_told(
    trained: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fail(*args: object, batch_size: int, **kw: object) -> None:
        raise RuntimeError(f'no room for {batch_size}')

    monkeypatch.setattr(benchmarking, 'measure_speed', fail)

    assert _bench(trained.config, '--batch-sizes', '2') == 2

    assert re.search(
        r'cannot be timed: batch size 1 failed: RuntimeError: no room for 1 \(.+\); '
        r'batch size 2 failed: RuntimeError: no room for 2 \(.+\)\.$',
        capsys.readouterr().err.splitlines()[-1],
    )


def test_what_is_not_known_is_a_dash() -> None:
    total = Timing(median=0.002, low=0.001, high=0.003, calls=7)
    speed = Speed(1, (4, 6), None, None, total, 1.5, None)
    report = SpeedReport(
        config='x',
        checkpoint='a.pth',
        images=None,
        distinct_images=2,
        machine='MPS',
        instructions=None,
        load=None,
        versions={},
        acceleration=None,
        suppression=None,
        speeds=[speed],
        flops=None,
        product_dtype='float32',
        product_flops_per_second=1e9,
    )

    text = report.to_text()

    assert 'x, 6x4' in text
    row = '| 1 | - | - | 2.00 [1.00, 3.00] | 500.00 | 1.5 | - | - | - |'
    assert row in [' '.join(line.split()) for line in text.splitlines()]
    assert 'only the total is given' in text
    assert 'GFLOP an image' not in text
    assert json.loads(json.dumps(report.to_dict()))['flops'] is None


@pytest.mark.parametrize(('load', 'told'), [(None, False), (0.4, False), (3.25, True)])
def test_a_machine_at_work_is_told_of(load: float | None, told: bool) -> None:
    total = Timing(median=1, low=1, high=1, calls=1)
    speed = Speed(1, (4, 6), None, None, total, 0, None)
    facts = dict.fromkeys(field.name for field in fields(SpeedReport))
    report = SpeedReport(**{**facts, 'machine': 'CPU', 'load': load, 'speeds': [speed]})

    assert any('(3.2 jobs in the last minute)' in x for x in report.notes()) == told
