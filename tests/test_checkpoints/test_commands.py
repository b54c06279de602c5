"""Every command on every kind of hostile checkpoint, as a table."""

import contextlib
import os
import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from mmdet.apis import DetInferencer, init_detector

from m2det_mmdet.cli import main
from m2det_mmdet.comparison import worker
from m2det_mmdet.utils.tables import to_markdown

from .hostile import Hostile, kinds

pytestmark = pytest.mark.slow

# As in the file that took 3.5 GB to read.
ZEROS = 3 * 2**30
GIGABYTE = 2**20  # in kB, as the system counts
# Seconds for one call, beside other work.
LIMIT = 120
# Characters of an answer in the table.
_SHOWN = 150


class Outcome(NamedTuple):
    """What came of a call in a process of its own; its peak memory is in kB."""

    text: str
    output: str
    memory: int


def commands(trained: SimpleNamespace) -> dict[str, Callable[[str, Path], object]]:
    """Calls by their names; each takes a checkpoint and an empty folder."""
    config = trained.config
    image = str(next((trained.scenes / 'val').iterdir()))

    def cli(*argv: str) -> Callable[[str, Path], object]:
        def call(file: str, folder: Path) -> int:
            return main(
                [x.replace('FILE', file).replace('FOLDER', str(folder)) for x in argv]
            )

        return call

    def compare(file: str, folder: Path) -> object:
        (folder / 'train').mkdir()
        shutil.copy(file, folder / 'train' / 'epoch_1.pth')
        hooks = "custom_hooks = [dict(type='TrainingCostHook')]"
        epochs = 'train_cfg = dict(max_epochs=2)'
        (folder / 'config.py').write_text(f'_base_ = {config!r}\n{hooks}\n{epochs}\n')
        return worker._train(folder / 'config.py')

    options = ('--work-dir', 'FOLDER', '--cfg-options', 'train_cfg.max_epochs=2')
    return {
        'train': cli('train', config, *options, 'load_from=FILE'),
        'train --resume': cli('train', config, '--resume', 'FILE', *options),
        'test': cli('test', config, 'FILE', '--work-dir', 'FOLDER'),
        'predict': cli('predict', config, 'FILE', image, '--out', 'FOLDER'),
        'bench': cli(
            'bench', config, '--checkpoint', 'FILE', '--images', '1', '--warm-up', '0',
            '--batch-sizes', '1',
        ),
        'convert': cli('convert', 'FILE', config, 'FOLDER/out.pth', '--to-release'),
        'compare': compare,
        'DetInferencer(None, ...)': lambda file, _: DetInferencer(
            None, file, device='cpu'
        ),
        'DetInferencer(config, ...)': lambda file, _: DetInferencer(
            config, file, device='cpu'
        ),
        'init_detector': lambda file, _: init_detector(config, file, device='cpu'),
    }  # fmt: skip


def in_a_process(
    call: Callable[[str, Path], object], file: Path, folder: Path
) -> Outcome:
    """Run a call in a copy of this process, which has imported everything."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    log = folder.with_suffix('.log')
    child = os.fork()
    if child == 0:
        with log.open('w') as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
            # What pytest has put in their place ends with this process.
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                code = _run(call, str(file), folder)
        os._exit(code)
    start = time.monotonic()
    while (result := os.wait4(child, os.WNOHANG))[0] == 0:
        if time.monotonic() - start > LIMIT:
            os.kill(child, 9)
        time.sleep(0.01)
    _, status, usage = result
    code = os.waitstatus_to_exitcode(status)
    output = log.read_text()
    last = (output.strip().splitlines() or [''])[-1]
    text = 'works' if code == 0 else last.replace(str(file), 'FILE')[:_SHOWN]
    return Outcome(f'killed by {-code}' if code < 0 else text, output, usage.ru_maxrss)


def _run(call: Callable[[str, Path], object], file: str, folder: Path) -> int:
    try:
        result = call(file, folder)
    except Exception as error:
        # A caller in Python gets the error, which has to be one sentence.
        raised = traceback.extract_tb(error.__traceback__)[-1].name
        print(f'{type(error).__name__} of {raised}: {error}')
        return 3
    return result if isinstance(result, int) else 0


def test_no_command_runs_deletes_or_breaks(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    victim = tmp_path / 'victim'
    victim.mkdir()
    kept = {'kept.txt', 'best_coco_bbox_mAP_epoch_1.pth'}
    for name in kept:
        (victim / name).write_text('kept')
    good = torch.load(trained.checkpoint, weights_only=False)
    calls = commands(trained)
    as_it_is = Hostile('(the good one)', lambda x: None, 'nobody')
    memory, rows, faults = {}, [], []
    for kind in (as_it_is, *kinds(victim, ZEROS)):
        file = kind.write(good, tmp_path / 'hostile.pth')
        row = {'checkpoint': kind.name}
        for name, call in calls.items():
            found = in_a_process(call, file, tmp_path / 'folder')
            memory.setdefault(name, found.memory)
            more = found.memory - memory[name]
            row[name] = found.text
            place = f'{kind.name}, {name}: {found.text}'
            if 'Traceback' in found.output or 'killed' in found.text:
                faults.append(place)
            if more > GIGABYTE:
                faults.append(f'{place}: {more / GIGABYTE:.1f} GB')
            if {path.name for path in victim.iterdir()} != kept:
                faults.append(f'{place}: {sorted(victim.iterdir())}')
        rows.append(row)
        # Row by row, so that one that hangs leaves the others.
        (tmp_path / 'hostile_checkpoints.md').write_text(to_markdown(rows) + '\n')

    # The good file is none of the release's, and holds no config to infer with.
    good_fails = {name for name in calls if rows[0][name] != 'works'}
    assert good_fails == {'convert', 'DetInferencer(None, ...)'}
    assert not faults
