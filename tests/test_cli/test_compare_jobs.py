"""Runs of a comparison that are done elsewhere, and what comes back of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config

from m2det_mmdet.apis import comparison
from m2det_mmdet.cli import main
from m2det_mmdet.comparison import elsewhere
from m2det_mmdet.comparison import run as compare_runs

FOUND = {
    'train': {'epochs': 2, 'seconds': 90.0, 'peak_memory': 4 * 2**20},
    'test': {'coco/bbox_mAP': 0.25},
    'measure': {
        'parameters': 1_500_000,
        'flops': 2_000_000_000,
        'seconds_an_image': 0.01,
        'device': 'cpu',
        'machine': 'CPU, one',
        'versions': {'torch': '9'},
    },
}


class Steps:
    """Stands in for the processes of runs: a training writes a checkpoint an epoch."""

    def __init__(self) -> None:
        self.folders: list[Path] = []
        self.began_with: list[list[str]] = []
        self.fails = False

    def __call__(self, argv: list[str], log: Any) -> int:
        step, folder = argv[0], Path(argv[1])
        self.folders.append(folder)
        log.write(f'{step} is done\n'.encode())
        if step == 'train':
            train = folder / 'train'
            train.mkdir(exist_ok=True)
            self.began_with.append(sorted(x.name for x in train.iterdir()))
            if self.fails:
                log.write(b'ValueError: It does not fit.\n')
                return 1
            (train / 'epoch_2.pth').write_bytes(b'weights')
            (train / 'epoch_1.pth').unlink(missing_ok=True)
            (train / 'logs').mkdir(exist_ok=True)
            (train / 'logs' / 'a.log').write_text('loss')
        (folder / f'{step}.json').write_text(json.dumps(FOUND[step]))
        return 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    stand_in = Steps()
    monkeypatch.setattr(compare_runs, '_call', stand_in)
    monkeypatch.setattr(elsewhere, '_POLL', 0.01)
    return stand_in


@pytest.fixture
def compare(trained: SimpleNamespace, tmp_path: Path) -> Callable[..., int]:
    """Compare two configs on the scenes."""
    other = tmp_path / 'other.py'
    other.write_text(f'_base_ = {trained.config!r}')

    def call(out: str, *argv: str) -> int:
        configs = ['compare', trained.config, str(other), '--epochs', '2']
        data = ['--data', str(trained.scenes), '--out', str(tmp_path / out)]
        return main([*configs, *data, *argv])

    return call


def _content(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob('*'))
        if path.is_file() and path.name != '.lock'
    }


@pytest.fixture
def send_elsewhere(
    unruly_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Let the comparisons that follow do their runs elsewhere."""

    def send() -> None:
        monkeypatch.setattr(comparison, 'choose_engine', lambda *_, **__: unruly_engine)

    return send


@pytest.mark.slow
def test_runs_elsewhere_leave_what_runs_here_leave(
    compare: Callable[..., int],
    steps: Steps,
    send_elsewhere: Callable[[], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    assert compare('here') == 0
    assert compare('elsewhere') == 0
    here, there = (_content(tmp_path / out) for out in ('here', 'elsewhere'))
    capsys.readouterr()
    shutil.rmtree(tmp_path / 'elsewhere')
    send_elsewhere()
    steps.folders.clear()

    assert compare('elsewhere') == 0

    found = _content(tmp_path / 'elsewhere')
    logs = {name for name in here if name.endswith('log.txt')}
    assert found.keys() == here.keys() == there.keys()
    assert {name for name in here if found[name] != there[name]} <= logs
    # In no folder that this machine and others would have to share.
    assert not any(x.is_relative_to(tmp_path / 'elsewhere') for x in steps.folders)
    assert not any(folder.exists() for folder in steps.folders)
    out = capsys.readouterr().out
    assert '[2/2] other, seed 0: its process died (killed by a test), begins ag' in out
    assert out.index('[2/2] other, seed 0: AP 0.250') < out.index('[1/2] small, seed 0')


def test_a_run_goes_on_elsewhere_with_the_checkpoints_that_came_back(
    compare: Callable[..., int],
    steps: Steps,
    send_elsewhere: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send_elsewhere()
    begin = compare_runs.Run.begin

    def with_checkpoint(run: Any, *args: Any) -> None:
        begin(run, *args)
        if not (run.folder / 'train').exists():
            (run.folder / 'train').mkdir()
            (run.folder / 'train' / 'epoch_1.pth').write_bytes(b'half')

    monkeypatch.setattr(compare_runs.Run, 'begin', with_checkpoint)

    assert compare('out') == 0

    assert steps.began_with[0] == ['epoch_1.pth']
    files = {x.name for x in (tmp_path / 'out' / 'small' / 'seed_0/train').iterdir()}
    assert files == {'epoch_2.pth', 'logs'}


def test_a_failure_elsewhere_names_the_log_here(
    compare: Callable[..., int],
    steps: Steps,
    send_elsewhere: Callable[[], None],
    tmp_path: Path,
) -> None:
    steps.fails = True
    compare('out')
    page = (tmp_path / 'out' / 'comparison.md').read_bytes()
    send_elsewhere()

    assert compare('out') == 1

    log = tmp_path / 'out' / 'small' / 'seed_0' / 'log.txt'
    assert f'ValueError: It does not fit. (see {log})' in page.decode()
    assert (tmp_path / 'out' / 'comparison.md').read_bytes() == page
    assert 'ValueError: It does not fit.' in log.read_text()


def test_other_data_elsewhere_fail_in_a_sentence(
    compare: Callable[..., int],
    steps: Steps,
    send_elsewhere: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send_elsewhere()
    identity = elsewhere.data_identity

    def other(*args: Any) -> Any:
        found = identity(*args)
        found['train'][0]['images'] = 'another digest'
        return found

    monkeypatch.setattr(elsewhere, 'data_identity', other)

    assert compare('out') == 1

    page = (tmp_path / 'out' / 'comparison.md').read_text()
    assert 'other data or weights are found (the images to train on have other' in page
    assert 'all machines need the same files under the same paths.' in page
    assert steps.folders == []


def test_a_change_of_a_folder_is_what_is_new_and_what_is_gone(tmp_path: Path) -> None:
    source, target = tmp_path / 'a', tmp_path / 'b'
    for folder in (source, target):
        (folder / 'train').mkdir(parents=True)
        (folder / 'train' / 'epoch_1.pth').write_bytes(b'1')
        (folder / 'log.txt').write_text('a')
    mirror = elsewhere._Mirror(source)
    (source / 'log.txt').write_text('ab')
    assert not mirror.has_news()
    (source / 'train' / '.epoch_2.pth.1.abc.partial').write_bytes(b'')
    assert not mirror.has_news()
    (source / 'train' / 'epoch_2.pth').write_bytes(b'2')
    (source / 'train' / 'epoch_1.pth').unlink()
    assert mirror.has_news()
    assert not mirror.has_news()

    change = mirror.change()
    change.apply_to(target)

    assert change.files == {'log.txt': b'ab', 'train/epoch_2.pth': b'2'}
    assert change.removed == ('train/epoch_1.pth',)
    assert _content(target) == {'log.txt': b'ab', 'train/epoch_2.pth': b'2'}
    assert mirror.change() == elsewhere.FolderChange()


def test_annotations_that_were_converted_travel(tmp_path: Path) -> None:
    here = tmp_path / 'out' / "it's data"
    (here / 'annotations').mkdir(parents=True)
    (here / 'annotations' / 'train.json').write_bytes(b'{}')
    config = tmp_path / 'config.py'
    file = here / 'annotations' / 'train.json'
    images = str(tmp_path / 'images')
    Config({'ann_file': str(file), 'images': images}).dump(config)

    shared = elsewhere.SharedData.of(here, {})
    elsewhere._move_data(config, here, tmp_path / 'there')

    assert shared.files == {'annotations/train.json': b'{}'}
    found = Config.fromfile(config)
    assert found.ann_file == str(tmp_path / 'there' / 'annotations' / 'train.json')
    assert found.images == images
