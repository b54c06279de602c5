import csv
import errno
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from math import isnan, nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from m2det_mmdet.analysis.speed import Speed, Timing
from m2det_mmdet.cli import main
from m2det_mmdet.comparison import report as compare_report
from m2det_mmdet.comparison import run as compare_runs
from m2det_mmdet.comparison import worker as compare_worker
from m2det_mmdet.visualization.costs import CostPoint

# Seconds after which a process hangs: no machine is so slow.
LIMIT = 1800
START_PROCESS = compare_runs._call
AP = {'coco/bbox_mAP': 0.25, 'coco/bbox_mAP_50': 0.5, 'coco/bbox_mAP_l': -1.0}
TABLE = """\
| config | parameters (M) | GFLOP | ms/image | memory (MiB) | training (min) | epochs \
| loss | AP | AP50 | AP75 | AP_S | AP_M | AP_L |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| small | 1.50 | 2.00 | 10.0 | 4 | 1.5 | 2.0 | 3.25 \
| 0.300 +- 0.071 | 0.500 | - | - | - | - |
| other | - | - | - | - | - | - | - | - | - | - | - | - | - |
"""


class Workers:
    """Stands in for the processes: writes what they would, keeps how it was called.

    Args:
        fails: Names of configs whose training fails.
    """

    def __init__(self, fails: tuple[str, ...] = ()) -> None:
        self.fails = fails
        self.calls: list[tuple[str, str]] = []
        self.hook: Callable[[str, Path], None] = lambda step, folder: None
        self.drawn: list[tuple[list[CostPoint], str]] = []
        self.found: dict[str, Any] = {'flops': 2_000_000_000}

    def draw(self, points: list[CostPoint], out: Path, **labels: str) -> None:
        self.drawn.append((points, out.name))

    def __call__(self, argv: list[str], log: Any) -> int:
        step, folder = argv[0], Path(argv[1])
        name = folder.parent.name
        self.calls.append((step, f'{name}/{folder.name}'))
        self.hook(step, folder)
        if name in self.fails:
            log.write(b'Traceback ...\nValueError: It does not fit: make it fit.\n')
            return 1
        seed = int(folder.name[-1])
        found = {
            'train': {
                'epochs': 2,
                'loss': 3.25,
                'seconds': 90.0,
                'peak_memory': 4 * 2**20,
            },
            'test': {**AP, 'coco/bbox_mAP': 0.25 + 0.1 * seed},
            'measure': {
                'parameters': 1_500_000,
                **self.found,
                'seconds_an_image': 0.01,
                'device': 'cpu',
                'machine': 'CPU, one',
                'load': 1.5 + seed,
                'versions': {'torch': '9'},
            },
        }
        (folder / f'{step}.json').write_text(json.dumps(found[step]))
        return 0


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    stand_in = Workers()
    monkeypatch.setattr(compare_runs, '_call', stand_in)
    monkeypatch.setattr(compare_report, 'draw_costs', stand_in.draw)
    # MMEngine's data sets call it, which takes most of the time of these tests.
    monkeypatch.setattr(gc, 'collect', lambda: 0)
    return stand_in


@pytest.fixture
def alone(argv: list[str]) -> list[str]:
    """Train one config, where that is enough."""
    return [*argv[:2], *argv[3:]]


@pytest.fixture
def argv(trained: SimpleNamespace, tmp_path: Path) -> list[str]:
    """Compare two configs on the scenes for two epochs."""
    other = tmp_path / 'other.py'
    other.write_text(f'_base_ = {trained.config!r}')
    return [
        'compare',
        trained.config,
        str(other),
        '--data',
        str(trained.scenes),
        '--out',
        str(tmp_path / 'out'),
        '--epochs',
        '2',
    ]


def _page(tmp_path: Path) -> str:
    return (tmp_path / 'out' / 'comparison.md').read_text()


def test_the_table_has_means_and_spreads_and_survives_a_failure(
    argv: list[str],
    tmp_path: Path,
    workers: Workers,
    capsys: pytest.CaptureFixture,
) -> None:
    workers.fails = ('other',)

    assert main([*argv, '--seeds', '0', '1']) == 1

    page = _page(tmp_path)
    assert TABLE in page
    assert 'other, seed 1 failed: ValueError: It does not fit: make it fit.' in page
    assert 'classes, images: 4 in train, 1 in test. Each config was' in page
    assert 'with each of the seeds 0, 1 (mean +- standard deviation), and' in page
    assert 'before a timing up to 2.5 processes ran or waited' in page
    assert '2 of 4 runs failed' in capsys.readouterr().out
    with (tmp_path / 'out' / 'comparison.csv').open() as file:
        small, other = csv.DictReader(file)
    assert float(small['AP']) == pytest.approx(0.3)
    assert float(small['AP spread']) == pytest.approx(0.1 / 2**0.5)
    assert (small['seeds'], other['seeds'], other['AP']) == ('2', '0', '')
    content = json.loads((tmp_path / 'out' / 'comparison.json').read_text())
    first, second = content['configs']
    assert [run['test']['coco/bbox_mAP'] for run in first['runs']] == [0.25, 0.35]
    log = tmp_path / 'out' / 'other' / 'seed_1' / 'log.txt'
    assert (
        second['failures']['1']
        == f'ValueError: It does not fit: make it fit. (see {log})'
    )
    spread = pytest.approx(0.1 / 2**0.5)
    for cost, (points, name) in zip((10.0, 2.0), workers.drawn[-2:], strict=True):
        assert points[0] == CostPoint('small', cost, pytest.approx(0.3), spread)
        # Named in the picture, which cannot show it.
        assert (points[1].name, points[1].spread) == ('other', None)
        assert isnan(points[1].cost)
        assert isnan(points[1].ap)
        assert name == ('comparison.png' if cost == 10 else 'comparison_gflop.png')


def test_what_is_done_is_not_done_again_and_failures_are(
    argv: list[str], tmp_path: Path, workers: Workers
) -> None:
    workers.fails = ('other',)
    main(argv)
    result = tmp_path / 'out' / 'small' / 'seed_0' / 'result.json'
    written = result.stat().st_mtime_ns
    workers.fails, workers.calls = (), []

    assert main(argv) == 0

    steps = ('train', 'test', 'measure')
    assert workers.calls == [(step, 'other/seed_0') for step in steps]
    assert result.stat().st_mtime_ns == written
    assert 'failed' not in _page(tmp_path)


def test_an_interruption_leaves_the_rest_for_the_next_call(
    argv: list[str], tmp_path: Path, workers: Workers
) -> None:
    def interrupt(step: str, folder: Path) -> None:
        if (step, folder.parent.name) == ('test', 'other'):
            raise KeyboardInterrupt

    workers.hook = interrupt
    assert main(argv) == 130
    assert 'other, seed 0 is not done yet.' in _page(tmp_path)
    workers.hook, workers.calls = (lambda step, folder: None), []

    assert main(argv) == 0

    assert workers.calls == [('test', 'other/seed_0'), ('measure', 'other/seed_0')]


def test_changed_settings_are_named_and_need_force(
    alone: list[str], tmp_path: Path, workers: Workers, capsys: pytest.CaptureFixture
) -> None:
    main(alone)
    changed = [*alone[:-1], '3']
    workers.calls = []

    assert main(changed) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'seed_0 was begun with other settings (' in error
    assert 'train_cfg.max_epochs: 2, now 3' in error
    assert not workers.calls
    assert main([*changed, '--workers', '1', '--force']) == 0
    assert len(workers.calls) == 3
    assert main(changed) == 0
    assert len(workers.calls) == 3


@pytest.mark.parametrize('force', [[], ['--force']])
def test_moved_data_and_what_changes_no_result_keep_finished_runs(
    force: list[str],
    alone: list[str],
    trained: SimpleNamespace,
    tmp_path: Path,
    workers: Workers,
) -> None:
    assert main(alone) == 0
    result = tmp_path / 'out' / 'small' / 'seed_0' / 'result.json'
    written = result.stat().st_mtime_ns
    workers.calls = []
    moved = shutil.copytree(trained.scenes, tmp_path / 'moved')
    alone[alone.index('--data') + 1] = str(moved)
    options = ['--cfg-options', 'data=x', 'log_level=ERROR', 'work_dir=x']

    assert main([*alone, *force, *options, 'default_hooks.logger.interval=7']) == 0

    assert not workers.calls
    assert result.stat().st_mtime_ns == written


def test_another_image_under_the_same_name_needs_force(
    alone: list[str],
    trained: SimpleNamespace,
    tmp_path: Path,
    workers: Workers,
    capsys: pytest.CaptureFixture,
) -> None:
    data = shutil.copytree(trained.scenes, tmp_path / 'data')
    alone[alone.index('--data') + 1] = str(data)
    assert main(alone) == 0
    image = next((data / 'test').iterdir())
    image.write_bytes(image.read_bytes() + b'more')

    assert main(alone) == 2

    error = capsys.readouterr().err.splitlines()[-1]
    assert '(the images to test on have other names or sizes): give' in error


def test_a_training_outlasts_a_failure_of_what_follows(
    alone: list[str], tmp_path: Path, workers: Workers, capsys: pytest.CaptureFixture
) -> None:
    checkpoint = tmp_path / 'out' / 'small' / 'seed_0' / 'train' / 'epoch_2.pth'

    def train(step: str, folder: Path) -> None:
        if step == 'train':
            checkpoint.parent.mkdir()
            checkpoint.touch()
        else:
            workers.fails = ('small',)

    workers.hook = train
    assert main(alone) == 1
    assert checkpoint.is_file()

    assert main([*alone, '--batch-size', '1']) == 2
    assert 'train_dataloader.batch_size: ' in capsys.readouterr().err
    assert checkpoint.is_file()


def test_a_failure_without_a_checkpoint_starts_anew_with_other_settings(
    alone: list[str], workers: Workers
) -> None:
    workers.fails = ('small',)
    assert main(alone) == 1
    workers.fails = ()

    assert main([*alone, '--batch-size', '1']) == 0


def test_a_config_that_does_not_fit_the_data_fails_alone(
    argv: list[str], trained: SimpleNamespace, tmp_path: Path, workers: Workers
) -> None:
    masks = tmp_path / 'masks.py'
    masks.write_text(
        f'_base_ = {trained.config!r}\n'
        "train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadAnnotations', "
        'with_bbox=True, with_mask=True)]))'
    )

    assert main([*argv[:2], str(masks), *argv[3:]]) == 1

    assert 'masks, seed 0 failed: The detector learns from masks' in _page(tmp_path)
    assert {folder for _, folder in workers.calls} == {'small/seed_0'}


def test_a_run_gets_the_data_the_budget_and_its_seed(
    argv: list[str], trained: SimpleNamespace, tmp_path: Path, workers: Workers
) -> None:
    options = ['--cfg-options', 'model.test_cfg.mine=7', 'train_cfg.max_epochs=18']
    main([*argv, '--seeds', '3', '--batch-size', '2', *options])

    cfg = Config.fromfile(tmp_path / 'out' / 'small' / 'seed_3' / 'config.py')
    annotations = trained.scenes / 'annotations'
    assert cfg.train_dataloader.dataset.ann_file == str(annotations / 'train.json')
    assert cfg.test_dataloader.dataset.ann_file == str(annotations / 'test.json')
    assert cfg.test_evaluator.type == 'GradedCocoMetric'
    assert cfg.train_cfg.max_epochs == 2
    # 2 epochs of 4 images in twos, where the config trains 18 epochs.
    assert cfg.param_scheduler[-1].T_max == 4
    assert (cfg.randomness.seed, cfg.model.test_cfg.mine) == (3, 7)
    checkpoint = cfg.default_hooks.checkpoint
    assert (checkpoint.interval, checkpoint.max_keep_ckpts) == (1, 2)
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert hooks[-2:] == ['FiniteLossHook', 'TrainingCostHook']


def test_minutes_are_a_budget_too(
    argv: list[str], tmp_path: Path, workers: Workers
) -> None:
    assert main([*argv[:-2], '--minutes', '1.5']) == 0

    cfg = Config.fromfile(tmp_path / 'out' / 'small' / 'seed_0' / 'config.py')
    assert cfg.custom_hooks[-1] == {'type': 'TimeBudgetHook', 'minutes': 1.5}
    assert 'Each config was trained for 1.5 minutes with the seed 0,' in _page(tmp_path)


def test_without_data_all_configs_must_name_the_same(
    argv: list[str], tmp_path: Path, workers: Workers, capsys: pytest.CaptureFixture
) -> None:
    alone = [*argv[:3], *argv[5:]]

    assert main(alone) == 0
    other = Path(argv[2])
    other.write_text(
        other.read_text() + "\ntest_dataloader = dict(dataset=dict(ann_file='x.json'))"
    )
    assert main(alone) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'small and other have different data: to test they read ' in error
    assert 'x.json; give --data' in error


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', "
            'times=5, dataset=_base_.train_dataloader.dataset))',
            'they repeat images by nothing and RepeatDataset (5); give --data',
        ),
        (
            "test_dataloader = dict(dataset=dict(metainfo=dict(classes=('cell',))))",
            'and cell; give --data',
        ),
    ],
)
def test_without_data_an_epoch_and_the_classes_must_be_the_same(
    change: str,
    message: str,
    argv: list[str],
    workers: Workers,
    capsys: pytest.CaptureFixture,
) -> None:
    other = Path(argv[2])
    other.write_text(f'{other.read_text()}\n{change}')

    assert main([*argv[:3], *argv[5:]]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'small and other have different data: ' in error
    assert message in error


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (['--seeds', '1', '1'], 'seeds must differ, got [1, 1]'),
        (
            ['--seeds', '-1'],
            '--seeds: must be at least 0, got -1',
        ),
        (
            ['--batch-size', '0'],
            '--batch-size: must be at least 1',
        ),
        (
            ['--epochs', '0'],
            '--epochs: must be at least 1, got 0',
        ),
        (
            ['--workers', '-1'],
            '--workers: must be at least 0, got',
        ),
        (['--out', 'FILE'], 'is no folder that takes files'),
        (['--data', 'nothing'], 'nothing does not exist: check the path'),
    ],
)
def test_wrong_arguments_end_in_one_sentence(
    change: list[str],
    message: str,
    argv: list[str],
    workers: Workers,
    capsys: pytest.CaptureFixture,
) -> None:
    change = [argv[1] if word == 'FILE' else word for word in change]

    assert main([*argv, *change]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('m2det compare: ')
    assert message in error
    assert not workers.calls


@pytest.mark.parametrize('minutes', ['0', '-1', 'inf', 'nan'])
def test_minutes_that_cannot_be_end_in_one_sentence(
    minutes: str, argv: list[str], workers: Workers, capsys: pytest.CaptureFixture
) -> None:
    assert main([*argv[:-2], '--minutes', minutes]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('m2det compare: argument --minutes: must be positive, got ')
    assert not workers.calls


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('small', 'Two configs are named small'),
        ('again', 'small is named twice: name it once.'),
        ('mmdet::nothing/at_all.py', 'There is no config mmdet::nothing/at_all.py'),
        ('mmdet::retinanet', 'There is no config mmdet::retinanet: mmdet has mmdet::'),
        (
            "_base_ = 'BASE'\nmodel = dict(neck=dict(num_level=3))",
            'broken.py does not build: MLFPN takes no argument num_level: did you mean '
            'num_levels or num_scales?',
        ),
        ('x = y', "broken.py does not load: NameError: name 'y' is not defined"),
        (
            'from mmengine.config import read_base\n'
            'from mmdet.models import RetinaNet\n'
            'model = dict(type=RetinaNet)',
            'broken.py names its modules by Python classes',
        ),
    ],
)
def test_configs_that_cannot_be_told_apart_or_loaded_stop(
    config: str,
    message: str,
    argv: list[str],
    tmp_path: Path,
    workers: Workers,
    capsys: pytest.CaptureFixture,
) -> None:
    if config == 'small':
        (tmp_path / 'copy').mkdir()
        config = str(shutil.copy(argv[2], tmp_path / 'copy' / 'small.py'))
    elif config == 'again':
        config = argv[1]
    elif '=' in config:
        (tmp_path / 'broken.py').write_text(config.replace('BASE', argv[1]))
        config = str(tmp_path / 'broken.py')

    assert main([*argv[:2], config, *argv[3:]]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_two_comparisons_do_not_share_a_folder(
    argv: list[str], tmp_path: Path, workers: Workers, capsys: pytest.CaptureFixture
) -> None:
    with compare_runs.locked(tmp_path / 'out'):
        assert main(argv) == 2

    assert 'Another comparison is at work in' in capsys.readouterr().err


def test_a_result_that_was_cut_off_is_written_again(
    alone: list[str], tmp_path: Path, workers: Workers
) -> None:
    main(alone)
    folder = tmp_path / 'out' / 'small' / 'seed_0'
    whole = (folder / 'result.json').read_text()
    for name in ('result.json', 'test.json'):
        file = folder / name
        file.write_text(file.read_text()[:20])
    workers.calls = []

    assert main(alone) == 0

    assert workers.calls == [('test', 'small/seed_0')]
    assert (folder / 'result.json').read_text() == whole


def test_settings_that_were_cut_off_stop_the_command(
    alone: list[str], tmp_path: Path, workers: Workers, capsys: pytest.CaptureFixture
) -> None:
    main(alone)
    settings = tmp_path / 'out' / 'small' / 'seed_0' / 'settings.json'
    settings.write_text(settings.read_text()[:20])
    workers.calls = []

    assert main(alone) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'settings.json cannot be read' in error
    assert '--force' in error
    assert main([*alone, '--force']) == 0
    assert [folder for _, folder in workers.calls] == ['small/seed_0'] * 3


def test_force_lets_no_former_result_stand_beside_new_ones(
    alone: list[str], tmp_path: Path, workers: Workers
) -> None:
    seeds = ['--seeds', '0', '1']
    main([*alone, *seeds])
    seen = []

    def look(step: str, folder: Path) -> None:
        seen.append(_page(tmp_path))
        raise KeyboardInterrupt

    workers.hook = look
    assert main([*alone[:-1], '3', *seeds, '--force']) == 130

    assert 'small, seed 0 is not done yet' in seen[0]
    assert 'small, seed 1 is not done yet' in seen[0]
    assert not list((tmp_path / 'out').rglob('result.json'))
    # They begin by being renamed, lest a kill leave half of them.
    assert not list((tmp_path / 'out').rglob('.seed_0*'))


def test_a_picture_of_former_results_does_not_stay(
    alone: list[str], tmp_path: Path, workers: Workers
) -> None:
    pictures = [tmp_path / 'out' / f'comparison{kind}.png' for kind in ('', '_gflop')]
    pictures[0].parent.mkdir()
    for picture in pictures:
        picture.touch()
    workers.fails = ('small',)

    assert main(alone) == 1

    assert not any(picture.exists() for picture in pictures)


def test_a_full_disk_ends_in_one_sentence(
    alone: list[str],
    tmp_path: Path,
    workers: Workers,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sync = os.fsync

    def fill(step: str, folder: Path) -> None:
        monkeypatch.setattr(os, 'fsync', full)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    workers.hook = fill
    assert main(alone) == 2

    error = capsys.readouterr().err.splitlines()[-1]
    assert 'comparison.md cannot be written ([Errno 28] No space left' in error
    monkeypatch.setattr(os, 'fsync', sync)
    workers.hook, workers.calls = (lambda step, folder: None), []
    assert main(alone) == 0
    assert not workers.calls


class Process:
    """Stands in for the process of a worker."""

    workers: Workers

    def __init__(self, argv: list[str], *, stdout: Any, **_: Any) -> None:
        self.name = Path(argv[-1]).parent.name
        self.status = self.workers(argv[-2:], stdout)
        self.stdin = stdout

    def wait(self, timeout: float | None = None) -> int:
        return self.status

    def poll(self) -> int:
        return self.status


def _break_dump(config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    config.write_text(f'{config.read_text()}\nthing = object()')
    return (
        r'cannot be written to a file, .*it holds thing=<object object at .*: give it n'
    )


def _break_disk(_config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    dump = Config.dump

    def fail(cfg: Config, file: Path) -> None:
        if file.parent.parent.name == 'other':
            raise OSError(errno.ENOSPC, 'No space left on device')
        dump(cfg, file)

    monkeypatch.setattr(Config, 'dump', fail)
    return r'config.py cannot be written \(\[Errno 28\] No space left on device\)'


def _break_folder(config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    out = config.parent / 'out'
    out.mkdir()
    (out / 'other').write_text('a file where the folder should be')
    return r'other.* cannot be written \('


def _break_process(_config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    class Popen(Process):
        def __init__(self, argv: list[str], **kwargs: Any) -> None:
            if Path(argv[-1]).parent.name == 'other':
                raise OSError(errno.ENOMEM, 'Cannot allocate memory')
            super().__init__(argv, **kwargs)

    monkeypatch.setattr(compare_runs.subprocess, 'Popen', Popen)
    return (
        r'No process can be started for it \(\[Errno 12\] Cannot allocate memory\): end'
    )


def _break_memory(_config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    finish = compare_runs.Run.finish

    def fail(run: compare_runs.Run) -> dict:
        if run.name == 'other':
            raise MemoryError
        return finish(run)

    monkeypatch.setattr(compare_runs.Run, 'finish', fail)
    return 'There is not enough memory: take a smaller batch'


def _break_by_signal(_config: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    class Popen(Process):
        def wait(self, timeout: float | None = None) -> int:
            # A signal of real time, which has no name.
            return -37 if self.name == 'other' else super().wait(timeout)

    monkeypatch.setattr(compare_runs.subprocess, 'Popen', Popen)
    return r'ended by signal 37; its last line was: --- train'


@pytest.mark.parametrize(
    'break_one',
    [
        _break_dump,
        _break_disk,
        _break_folder,
        _break_process,
        _break_memory,
        _break_by_signal,
    ],
)
def test_what_befalls_one_run_costs_no_other(
    break_one: Callable[[Path, pytest.MonkeyPatch], str],
    argv: list[str],
    tmp_path: Path,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(Process, 'workers', workers, raising=False)
    monkeypatch.setattr(compare_runs.subprocess, 'Popen', Process)
    monkeypatch.setattr(compare_runs, '_call', START_PROCESS)
    reason = break_one(tmp_path / 'other.py', monkeypatch)
    # The one that fails comes first.
    argv[1:3] = [argv[2], argv[1]]

    assert main(argv) == 1

    page = _page(tmp_path)
    assert re.search(f'other, seed 0 failed: .*{reason}', page)
    assert '| small | 1.50 | 2.00 | 10.0 |' in page
    assert '1 of 2 runs failed' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            "test_evaluator = dict(type='VOCMetric', _delete_=True)",
            'The test_evaluator gives no box AP of COCO: give --data',
        ),
        (
            "test_dataloader = dict(dataset=dict(ann_file='x.json'))",
            'The data to test on cannot be loaded: ',
        ),
        (
            'custom_hooks = 7',
            'The config cannot be prepared: TypeError: ',
        ),
        (
            'train_dataloader = dict(batch_size=5, drop_last=True)',
            '4 training images are not one whole batch of 5',
        ),
    ],
)
def test_what_could_not_be_evaluated_is_not_trained(
    change: str, message: str, argv: list[str], tmp_path: Path, workers: Workers
) -> None:
    config = Path(argv[2])
    config.write_text(f'{config.read_text()}\n{change}')

    assert main([argv[0], str(config), *argv[5:]]) == 1

    assert message in _page(tmp_path).partition('other, seed 0 failed: ')[2]
    assert not workers.calls


@pytest.mark.parametrize(
    ('metrics', 'ap'),
    [({}, 0.0), ({'coco/bbox_mAP': 0.5}, 0.5), ({'coco/bbox_mAP': nan}, None)],
)
def test_a_detector_that_finds_nothing_has_an_ap_of_zero(
    metrics: dict, ap: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / 'epoch_1.pth').touch()
    (tmp_path / 'config.py').write_text('model = dict()')
    runner = SimpleNamespace(test=lambda: metrics)
    monkeypatch.setattr(compare_worker, 'build_runner', lambda _cfg: runner)

    assert compare_worker._test(tmp_path / 'config.py')['coco/bbox_mAP'] == ap


@pytest.mark.parametrize('tuned', [True, False])
def test_a_detector_is_timed_with_the_cudnn_of_its_config(
    tuned: bool,
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {trained.config!r}\nenv_cfg = dict(cudnn_benchmark={tuned})'
    )
    (tmp_path / 'train').mkdir()
    (tmp_path / 'train' / 'epoch_1.pth').symlink_to(trained.checkpoint)
    seen = []

    def measure_speed(*_: Any, **__: Any) -> Speed:
        seen.append(torch.backends.cudnn.benchmark)
        timing = Timing(1.0, 1.0, 1.0, 1)
        return Speed(1, (64, 64), None, None, timing, 1.0, None)

    monkeypatch.setattr(compare_worker, 'measure_speed', measure_speed)
    monkeypatch.setattr(torch.backends.cudnn, 'benchmark', not tuned)

    found = compare_worker._measure(config)

    assert seen == [tuned]
    assert found['cudnn_benchmark'] is tuned
    assert torch.backends.cudnn.benchmark is not tuned


def test_a_training_that_goes_on_elsewhere_names_both_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_worker, 'versions', lambda: {'torch': '9'})
    train = tmp_path / 'train'
    for machine, step in (
        ('a', 'train'),
        ('b', 'train'),
        ('c', 'train'),
        ('c', 'test'),
    ):
        monkeypatch.setattr(
            compare_worker, 'describe_machine', lambda device, name=machine: name
        )
        compare_worker._note_machine(step, tmp_path)
        if machine == 'b':
            # What the first one did was lost: it left no checkpoint.
            train.mkdir()
            (train / 'epoch_1.pth').touch()

    assert json.loads((tmp_path / 'machines.json').read_text()) == {
        'train': ['b; torch 9', 'c; torch 9'],
        'test': ['c; torch 9'],
    }


@pytest.mark.parametrize(
    ('lines', 'reason'),
    [
        (
            'Traceback\nFooError: first\n\nValueError: It is: bad.\n',
            'ValueError: It is: bad.',
        ),
        (
            'torch.AcceleratorError: CUDA error: assert\nCompile with ...\n',
            'torch.AcceleratorError: CUDA error: assert',
        ),
        ('ValueError: old\nm2det compare: There is no image.\n', 'There is no image.'),
        (
            'm2det compare: KeyError: 2, caused by IndexError: 3 (neck.py:12)\n',
            'KeyError: 2, caused by IndexError: 3 (neck.py:12)',
        ),
        ('Traceback\nAssertionError\n', 'AssertionError'),
        ('Loading\nbus error\n', 'bus error'),
    ],
)
def test_the_reason_of_a_failure_is_its_error(lines: str, reason: str) -> None:
    assert compare_runs._reason(lines.splitlines()) == reason


def test_a_process_that_is_killed_is_told_from_one_that_fails(
    alone: list[str], tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(argv: list[str], log: Any) -> int:
        log.write(b'ValueError: earlier\nEpoch 3\n')
        return -signal.SIGKILL

    monkeypatch.setattr(compare_runs, '_call', killed)

    assert main(alone) == 1
    message = (
        'ended by SIGKILL, probably out of memory; its last line was: Epoch 3 (see'
    )
    assert message in _page(tmp_path)


def test_a_detector_that_cannot_be_counted_is_named(
    alone: list[str],
    tmp_path: Path,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_cfg: Config) -> None:
        raise NotImplementedError('no values here')

    monkeypatch.setattr(compare_worker, 'measure', refuse)
    workers.found = compare_worker._flops(Config())
    assert main(alone) == 0

    reason = 'small: operations cannot be counted (NotImplementedError: no values here'
    assert reason in _page(tmp_path)
    assert '| small | 1.50 | - | 10.0 |' in _page(tmp_path)


def test_warnings_about_the_data_are_shown(
    alone: list[str],
    trained: SimpleNamespace,
    tmp_path: Path,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    # As in a new process, where nothing has made a log yet.
    monkeypatch.setattr(MMLogger, '_instance_dict', OrderedDict())
    scenes = shutil.copytree(trained.scenes, tmp_path / 'scenes')
    annotations = json.loads((scenes / 'annotations' / 'train.json').read_text())
    for image in annotations['images']:
        image['file_name'] = f'train/{image["file_name"]}'
    for split in ('train', 'test'):
        file = scenes / 'annotations' / f'{split}.json'
        file.write_text(json.dumps(annotations))
    alone[alone.index('--data') + 1] = str(scenes)

    assert main(alone) == 0
    assert 'AP on them means little' in capsys.readouterr().err


def test_a_training_whose_checkpoints_cannot_be_read_begins_anew(
    tmp_path: Path,
) -> None:
    folder = tmp_path / 'train'
    folder.mkdir()
    assert compare_worker._begin_at(folder) is None
    state = {'meta': {'epoch': 8, 'iter': 80}, 'optimizer': {}, 'state_dict': {}}
    torch.save(state, folder / 'epoch_8.pth')
    (folder / 'epoch_9.pth').write_bytes(b'')
    assert compare_worker.checkpoints(tmp_path)[0] == folder / 'epoch_9.pth'

    assert compare_worker._begin_at(folder) == folder / 'epoch_8.pth'
    assert compare_worker._checkpoint(tmp_path / 'x.py') == str(folder / 'epoch_9.pth')
    (folder / 'epoch_8.pth').unlink()
    assert compare_worker._begin_at(folder) is None


@pytest.mark.slow
def test_a_killed_comparison_goes_on_from_its_last_checkpoint(
    argv: list[str], trained: SimpleNamespace, tmp_path: Path
) -> None:
    bad = tmp_path / 'bad.py'
    bad.write_text(
        f'_base_ = {trained.config!r}\noptim_wrapper = dict(optimizer=dict(lr=1e30))'
    )
    argv = [*argv[:3], str(bad), *argv[3:-1], '4', '--workers', '0']
    program = 'from m2det_mmdet.cli import main; raise SystemExit(main())'
    command = [sys.executable, '-c', program, *argv]
    out = tmp_path / 'out'
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    log = out / 'other' / 'seed_0' / 'log.txt'
    _wait(lambda: (log.parent / 'train' / 'last_checkpoint').is_file(), killed)
    workers = psutil.Process(killed.pid).children(recursive=True)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    # They end with it, so that the log is whole.
    psutil.wait_procs(workers, timeout=LIMIT)
    assert workers
    assert not any(worker.is_running() for worker in workers)
    done = (out / 'small' / 'seed_0' / 'result.json').stat().st_mtime_ns
    before = len(log.read_bytes())
    first = _epochs(log.read_text())
    assert first[0] == 1
    assert not (log.parent / 'train.json').is_file()

    assert subprocess.run(command, check=False).returncode == 1

    assert (out / 'small' / 'seed_0' / 'result.json').stat().st_mtime_ns == done
    resumed = _epochs(log.read_bytes()[before:].decode())
    assert resumed[0] > 1
    assert resumed[-1] == 4
    result = json.loads((log.parent / 'result.json').read_text())
    assert (result['train']['epochs'], result['train']['iterations']) == (4, 8)
    file = log.parent / 'train' / 'epoch_4.pth'
    logged = torch.load(file, weights_only=False)['message_hub']['log_scalars']
    losses, _ = logged['train/loss'].data
    assert len(losses) == 8
    assert result['train']['loss'] == pytest.approx((losses[-2] + losses[-1]) / 2)
    assert (out / 'comparison.png').stat().st_size > 1000
    page = (out / 'comparison.md').read_text()
    assert 'bad, seed 0 failed: The training has diverged: loss_' in page
    assert result['machines'].keys() == {'train', 'test', 'measure'}
    assert page.count('- Machine: CPU, ') == 1
    assert log.read_text().startswith('--- schedule\n')
    assert '| small | 0.59 | 0.18 |' in page


def _wait(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    """Wait for what a process is to do, as long as it is at work."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert process.poll() is None, f'ended with {process.returncode} before'
        assert time.monotonic() < end
        time.sleep(0.05)


def _epochs(log: str) -> list[int]:
    """Number of the epoch of each line that tells a loss."""
    return [int(number) for number in re.findall(r'Epoch\(train\) +\[(\d+)\]', log)]
