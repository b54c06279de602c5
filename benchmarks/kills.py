"""Kill trainings at random moments, and compare what becomes of them after a resume.

python benchmarks/kills.py [--kills N] [--seed N] [--out DIR] [--disk DIR]

Each training is `m2det train` of a small detector on 12 generated images, 4 epochs of 6
iterations, with a checkpoint after each epoch and, as resume.pth, every 2 iterations.
It gets SIGKILL at a random moment between its first iteration and its end, then goes on
by --resume. The last checkpoint is compared with that of a training of the same seed
that nobody has killed: all tensors, arrays, numbers and texts, but no clocks and paths.

Loaders have no workers, 2, or 2 that persist. Every fifth training draws its seed.
Every third has its newest checkpoint cut to half before it goes on. With --disk, a
folder on a small disk of its own (tmpfs), one more training runs until it is full.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.checkpoints import load_safely
from m2det_mmdet.checkpoints.differences import differences
from m2det_mmdet.datasets.scenes import write_scenes

CONFIG = Path(__file__).parents[1] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
EPOCHS, ITERATIONS = 4, 24
LOADERS = ((0, False), (2, False), (2, True))
LIMIT = 600  # seconds of a training


@dataclass(frozen=True)
class Training:
    """What is the same before and after a kill."""

    scenes: Path
    seed: int | None
    workers: int
    persistent: bool

    def command(self, folder: Path) -> list[str]:
        """Return the command that trains in a folder."""
        data = f'{self.scenes}/'
        options = {
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': self.workers,
            'train_dataloader.persistent_workers': self.persistent,
            'train_dataloader.dataset.data_root': data,
            'val_dataloader.dataset.data_root': data,
            'val_evaluator.ann_file': f'{data}annotations/val.json',
            'model.neck.num_levels': 1,
            'train_cfg.max_epochs': EPOCHS,
            'train_cfg.val_interval': 2,
            'default_hooks.logger.interval': 1,
            'default_hooks.checkpoint.every_iterations': 2,
            'default_hooks.checkpoint.max_keep_ckpts': 2,
        }
        seed = [] if self.seed is None else ['--seed', str(self.seed)]
        settings = [f'{key}={value}' for key, value in options.items()]
        program = [sys.executable, '-m', 'm2det_command', 'train', str(CONFIG)]
        tail = ['--work-dir', str(folder), '--no-report', '--cfg-options', *settings]
        return [*program, *seed, *tail]


def main() -> None:
    """Kill, resume, compare; print a line each."""
    args = _arguments()
    rng = random.Random(args.seed)
    about = ', '.join(' '.join(item) for item in versions().items())
    print(f'{describe_machine(torch.device("cpu"))}; {about}', flush=True)
    shutil.rmtree(args.out, ignore_errors=True)
    scenes = args.out / 'scenes'
    write_scenes(scenes, num_train=12, num_val=3, num_test=1, size=(128, 128))
    whole: dict[int, dict[str, Any]] = {}
    equal = 0
    for number in range(args.kills):
        workers, persistent = LOADERS[number % len(LOADERS)]
        seed = None if number % 5 == 4 else 42
        training = Training(scenes, seed, workers, persistent)
        folder = args.out / f'killed_{number}'
        when = _kill(training, folder, rng)
        cut = _cut_newest(folder) if number % 3 == 2 else None
        _run([*_resuming(training, folder)])
        state = _last(folder)
        drawn = state['meta']['seed']
        if drawn not in whole:
            reference = Training(scenes, drawn, 0, False)
            _run(reference.command(args.out / f'whole_{drawn}'))
            whole[drawn] = _last(args.out / f'whole_{drawn}')
        found = differences(whole[drawn], state)
        equal += not found
        print(
            f'{number + 1:2}: seed {seed or "drawn"}, {workers} workers'
            f'{" that persist" if persistent else ""}, killed after {when}'
            f'{f", {cut} cut" if cut else ""}: '
            f'{"equal" if not found else found[:3]}',
            flush=True,
        )
        shutil.rmtree(folder)
    print(f'{equal} of {args.kills} equal, {_count(whole[42])} values compared each')
    if args.disk:
        _fill_disk(Training(scenes, 42, 0, False), args.disk, whole[42])


def _kill(training: Training, folder: Path, rng: random.Random) -> str:
    """Start a training, kill it at a random moment, and tell how far it was."""
    target = rng.randrange(1, ITERATIONS)
    process = subprocess.Popen(
        training.command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    start = time.monotonic()
    try:
        while process.poll() is None and _iterations(folder) < target:
            time.sleep(0.01)
            if time.monotonic() - start > LIMIT:
                raise SystemExit(f'No iteration {target} within {LIMIT} s.')
        # Within an iteration, a write or a validation, too.
        time.sleep(rng.uniform(0, 1))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    files = sorted(path.name for path in folder.glob('*.pth'))
    return f'iteration {_iterations(folder)} ({", ".join(files) or "no checkpoint"})'


def _iterations(folder: Path) -> int:
    """Count the iterations of which the log of a run tells."""
    logs = sorted(folder.glob('*/*.log'))
    return logs[-1].read_text().count('Epoch(train)') if logs else 0


def _cut_newest(folder: Path) -> str | None:
    """Cut the newest checkpoint to half, but never the only one."""
    files = sorted(folder.glob('*.pth'), key=lambda path: path.stat().st_mtime)
    states = [path for path in files if not path.name.startswith('best')]
    if len(states) < 2:
        return None
    newest = states[-1]
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    return newest.name


def _resuming(training: Training, folder: Path) -> list[str]:
    command = training.command(folder)
    place = command.index('--no-report')
    return [*command[:place], '--resume', *command[place:]]


def _run(command: list[str], *, may_fail: bool = False) -> str:
    """Run a command to its end; return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode and not may_fail:
        raise SystemExit(f'{done.stdout}{done.stderr}\nstatus {done.returncode}')
    return done.stderr.strip()


def _last(folder: Path) -> dict[str, Any]:
    return load_safely(str(folder / f'epoch_{EPOCHS}.pth'), 'cpu')


def _count(value: Any) -> int:
    """Count the tensors, numbers and texts in a state."""
    if isinstance(value, dict):
        return sum(map(_count, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_count, value))
    return _count(vars(value)) if hasattr(value, 'current') else 1


def _fill_disk(training: Training, disk: Path, whole: dict[str, Any]) -> None:
    """Train until the disk is full, make room, and go on."""
    folder = disk / 'run'
    shutil.rmtree(folder, ignore_errors=True)
    ballast = disk / 'ballast'
    # Room for one checkpoint and a part of the next.
    size = (_size_of(training.scenes.parent) * 5) // 2
    ballast.write_bytes(b'\0' * max(shutil.disk_usage(disk).free - size, 0))
    said = _run(training.command(folder), may_fail=True)
    kept = sorted(path.name for path in folder.glob('*.pth'))
    print(f'Full disk: {said.splitlines()[-1]} Left: {", ".join(kept)}.')
    ballast.unlink()
    _run(_resuming(training, folder))
    found = differences(whole, _last(folder))
    print(f'After room was made: {"equal" if not found else found[:3]}')
    shutil.rmtree(folder)


def _size_of(out: Path) -> int:
    return next(out.glob(f'whole_*/epoch_{EPOCHS}.pth')).stat().st_size


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=30)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/kills'))
    parser.add_argument('--disk', type=Path)
    return parser.parse_args()


if __name__ == '__main__':
    main()
