"""Trainings as launchers start them: torchrun, Slurm, mim."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).parents[2]
# One process dies in the third epoch, the first time.
KILLER = """
import os, signal
from mmdet.registry import HOOKS
from mmengine.hooks import Hook

@HOOKS.register_module()
class Killer(Hook):
    def after_train_iter(self, runner, *args, **kwargs):
        first = os.environ.get('TORCHELASTIC_RESTART_COUNT') == '0'
        if first and runner.rank == 1 and runner.iter == 4:
            os.kill(os.getpid(), signal.SIGKILL)
"""
CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['m2det_mmdet', 'killer'])
custom_hooks = [dict(type='Killer')] if {killed} else []
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(128, 128), keep_ratio=False),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=train_pipeline),
)
train_cfg = dict(max_epochs=3, val_interval=3)
"""
TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
TRAIN = ['-m', 'm2det_command', 'train']


def _environment(folder: Path, **variables: str) -> dict[str, str]:
    paths = f'{ROOT}{os.pathsep}{folder}'
    return {**os.environ, 'PYTHONPATH': paths, 'OMP_NUM_THREADS': '1', **variables}


def _run(words: list[str], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=900,
    )


def _config(folder: Path, base: str, *, killed: bool) -> str:
    (folder / 'killer.py').write_text(KILLER)
    config = folder / f'killed_{killed}.py'
    config.write_text(CONFIG.format(base=base, killed=killed))
    return str(config)


@pytest.mark.slow
def test_a_restart_ends_with_the_weights_of_the_uninterrupted_training(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    weights = {}
    for killed in (False, True):
        config = _config(tmp_path, trained.config, killed=killed)
        work_dir = tmp_path / f'work_{killed}'
        options = ['--launcher', 'pytorch', '--work-dir', str(work_dir)]
        words = [*TORCHRUN, '--max-restarts', '1', *TRAIN, config, *options]

        done = _run(words, tmp_path)

        assert done.returncode == 0, done.stderr
        assert ('Resuming from' in done.stdout) is killed
        checkpoint = torch.load(work_dir / 'epoch_3.pth', weights_only=False)
        weights[killed] = checkpoint['state_dict']
        # One process tells how it goes.
        assert done.stdout.count('Trained to epoch 3') == 1
    assert weights[True].keys() == weights[False].keys()
    for name, tensor in weights[True].items():
        assert torch.equal(tensor, weights[False][name]), name


@pytest.mark.slow
def test_slurm_starts_the_processes(trained: SimpleNamespace, tmp_path: Path) -> None:
    tools = tmp_path / 'bin'
    tools.mkdir()
    # MMEngine asks it for the first machine of the list.
    stand_in = tools / 'scontrol'
    stand_in.write_text('#!/bin/sh\necho 127.0.0.1\n')
    stand_in.chmod(0o755)
    config = _config(tmp_path, trained.config, killed=False)
    words = [*TRAIN, config, '--launcher', 'slurm', '--work-dir', str(tmp_path / 'w')]
    processes = [
        subprocess.Popen(
            [sys.executable, *words, '--epochs', '1'],
            cwd=tmp_path,
            env=_environment(
                tmp_path,
                PATH=f'{tools}{os.pathsep}{os.environ["PATH"]}',
                SLURM_PROCID=str(rank),
                SLURM_LOCALID=str(rank),
                SLURM_NTASKS='2',
                SLURM_NODELIST='this',
                MASTER_PORT='29417',
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    first, second = (process.communicate(timeout=900) for process in processes)

    assert [x.returncode for x in processes] == [0, 0], (first, second)
    assert 'Trained to epoch 1 (iteration 2)' in first[0]
    # Nothing is told twice.
    assert second == ('', '')
