"""Time how long a job of two processes outlasts one of them.

python benchmarks/lost_process.py

torchrun trains a small detector on generated images in two processes on the CPU. One of
them is stopped (SIGSTOP), in another job killed (SIGKILL), after the first iteration.
Printed are the seconds until the other one ends, and until torchrun does, with its exit
status and what the other one says. torchrun gives a stopped process 30 s more.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch

from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.datasets.scenes import write_scenes

CONFIG = Path(__file__).parents[1] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
LIMIT = 300  # seconds of a job


def main() -> None:
    """Run both jobs, and print a line each."""
    about = ', '.join(' '.join(item) for item in versions().items())
    print(f'{describe_machine(torch.device("cpu"))}; {about}')
    with TemporaryDirectory() as folder:
        scenes = Path(folder, 'scenes')
        write_scenes(scenes, num_train=12, num_val=3, num_test=1, size=(128, 128))
        for number in (signal.SIGSTOP, signal.SIGKILL):
            print(lose(scenes, Path(folder, number.name), number), flush=True)


def lose(scenes: Path, work_dir: Path, number: signal.Signals) -> str:
    """Train, send a signal to the second process, and tell what follows."""
    said = work_dir.with_suffix('.txt')
    with open(said, 'wb') as output:
        job = subprocess.Popen(_command(scenes, work_dir), stdout=output, stderr=output)
    start = time.monotonic()
    while not any('Epoch(train)' in x.read_text() for x in work_dir.glob('*/*.log')):
        if job.poll() is not None or time.monotonic() - start > LIMIT:
            raise SystemExit(said.read_text())
        time.sleep(0.1)
    ranks = {x.environ()['RANK']: x for x in psutil.Process(job.pid).children()}
    ranks['1'].send_signal(number)
    start, other = time.monotonic(), None
    while job.poll() is None and time.monotonic() - start < LIMIT:
        if other is None and _has_ended(ranks['0']):
            other = time.monotonic() - start
        time.sleep(0.05)
    ended = time.monotonic() - start
    job.kill()
    own = ('m2det:', 'm2det train:')
    words = [x for x in said.read_text().splitlines() if x.startswith(own)]
    return (
        f'{number.name}: the other process ended after {other or ended:.1f} s, the job '
        f'after {ended:.1f} s with status {job.returncode}.\n'
        f'    {words[0] if words else "It said nothing."}'
    )


def _has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _command(scenes: Path, work_dir: Path) -> list[str]:
    data = f'{scenes}/'
    options = {
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.data_root': data,
        'val_dataloader.dataset.data_root': data,
        'val_evaluator.ann_file': f'{data}annotations/val.json',
        'model.neck.num_levels': 1,
        'train_cfg.max_epochs': 500,
        'train_cfg.val_interval': 500,
        'default_hooks.logger.interval': 1,
    }
    settings = [f'{key}={value}' for key, value in options.items()]
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2']
    train = ['-m', 'm2det_command', 'train', str(CONFIG), '--launcher', 'pytorch']
    tail = ['--work-dir', str(work_dir), '--no-report', '--device', 'cpu']
    return [*torchrun, *train, *tail, '--cfg-options', *settings]


if __name__ == '__main__':
    main()
