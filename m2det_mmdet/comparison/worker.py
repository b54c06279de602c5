"""One step of a compared run, in a process of its own.

`m2det compare` starts it as `python -m m2det_mmdet.comparison.worker STEP FOLDER`.
"""

import json
import logging
import math
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader, load_checkpoint

from ..analysis.complexity import measure
from ..analysis.machine import describe_machine, load_average, versions
from ..analysis.random_weights import without_pretrained
from ..analysis.speed import WARM_UP, cudnn_of, measure_speed
from ..checkpoints.errors import CheckpointError
from ..checkpoints.latest import newest_state, states_in
from ..engine.data_workers import worker_deaths_told
from ..engine.hooks.finite_loss_hook import watch_losses
from ..engine.hooks.training_cost_hook import EPOCHS, MEMORY, SECONDS
from ..engine.runner import build_runner
from ..models.detectors import drop_auxiliary
from ..utils.configs import load_config
from ..utils.errors import M2DetError, clause_of, explain, mendable
from ..utils.files import write_whole
from .figures import machine_text

CONFIG = 'config.py'
MACHINES = 'machines.json'
STEPS = ('train', 'test', 'measure')
# Before the sentence on an error.
SAYS = 'm2det compare: '

# Images that are timed in turn; calls on a CPU and elsewhere.
_IMAGES = 16
_CALLS = (20, 200)


def main(step: str, folder: Path) -> None:
    """Do a step, and write what it found to ``FOLDER/STEP.json``."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    steps = {'train': _train, 'test': _test, 'measure': _measure}
    _note_machine(step, folder)
    found = steps[step](folder / CONFIG)
    write_whole(folder / f'{step}.json', json.dumps(found, indent=2) + '\n')


def _end_with_parent() -> None:
    """End this process when the one that started it does, which holds its stdin.

    Else a training would go on after its comparison was killed, beside the next one.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _note_machine(step: str, folder: Path) -> None:
    """Note on what a step is done; a training may go on where another one was."""
    file = folder / MACHINES
    noted = json.loads(file.read_text()) if file.is_file() else {}
    before = noted.get(step, []) if step == 'train' and checkpoints(folder) else []
    here = {
        'machine': describe_machine(torch.device(get_device())),
        'versions': versions(),
    }
    noted[step] = list(dict.fromkeys([*before, machine_text(here)]))
    write_whole(file, json.dumps(noted, indent=2) + '\n')


def _train(config: Path) -> dict[str, Any]:
    """Train, from the last checkpoint on where there is one."""
    cfg = load_config(config)
    cfg.work_dir = str(config.parent / 'train')
    if (last := _begin_at(Path(cfg.work_dir))) is not None:
        cfg.load_from, cfg.resume = str(last), True
    runner = build_runner(cfg)
    watch_losses(runner)
    with worker_deaths_told(runner):
        runner.train()
    file = _checkpoint(config)
    checkpoint = CheckpointLoader.load_checkpoint(file, 'cpu')
    with open(file, 'r+b') as opened:
        # What is evaluated has to outlast a power cut.
        os.fsync(opened.fileno())
    logged = checkpoint['message_hub']
    info = logged['runtime_info']
    epochs = info.get(EPOCHS, checkpoint['meta']['epoch'])
    iterations = checkpoint['meta']['iter']
    last_epoch = max(1, round(iterations / max(1, epochs)))
    return {
        'epochs': epochs,
        'iterations': iterations,
        'loss': float(logged['log_scalars']['train/loss'].mean(last_epoch)),
        'seconds': info[SECONDS],
        'peak_memory': info.get(MEMORY),
    }


def _test(config: Path) -> dict[str, Any]:
    """Evaluate the last checkpoint."""
    cfg = load_config(config)
    cfg.load_from = _checkpoint(config)
    # All weights come from the checkpoint.
    cfg.model = without_pretrained(cfg.model)
    cfg.work_dir = str(config.parent / 'test')
    # Where a detector finds nothing at all, mmdet's metric gives no AP.
    runner = build_runner(cfg)
    with worker_deaths_told(runner):
        metrics = {'coco/bbox_mAP': 0.0, **runner.test()}
    # JSON has no NaN, the AP of a class without objects.
    return {
        name: float(value) if math.isfinite(value) else None
        for name, value in metrics.items()
    }


def _measure(config: Path) -> dict[str, Any]:
    """Count parameters and operations, and time the detector image by image."""
    cfg = load_config(config)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    device = torch.device(get_device())
    jobs = load_average()
    # As the runner does with one that stands beside the model.
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model = drop_auxiliary(MODELS.build(without_pretrained(cfg.model)))
    load_checkpoint(model, _checkpoint(config), map_location='cpu')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    kind = 0 if device.type == 'cpu' else 1
    with cudnn_of(cfg) as tuned:
        speed = measure_speed(
            model.to(device).eval(),
            [dataset[index] for index in range(min(_IMAGES, len(dataset)))],
            repeats=_CALLS[kind],
            warm_up=WARM_UP[kind],
        )
    total = speed.total
    return {
        'parameters': sum(parameter.numel() for parameter in model.parameters()),
        **_flops(cfg),
        'input_size': speed.input_size,
        'seconds_an_image': total.median,
        'seconds_an_image_10th': total.low,
        'seconds_an_image_90th': total.high,
        'timed_images': total.calls,
        'boxes_an_image': speed.boxes,
        'test_images': len(dataset),
        'device': device.type,
        'machine': describe_machine(device),
        'cudnn_benchmark': tuned,
        'load': jobs,
        'versions': versions(),
    }


def _flops(cfg: Config) -> dict[str, Any]:
    """Operations for an image, or ``None`` and why they cannot be counted."""
    try:
        return {'flops': measure(cfg).flops}
    except Exception as error:  # What modules raise that do not run without values.
        return {'flops': None, 'uncounted': clause_of(error)}


def checkpoints(folder: Path) -> list[Path]:
    """List what the training of a run's folder can go on from."""
    return states_in(folder / 'train')


def _begin_at(folder: Path) -> Path | None:
    """Find where a training goes on; it begins anew where nothing can be read."""
    try:
        return newest_state(folder)
    except CheckpointError as error:
        print_log(
            f'{error} This training begins anew.',
            logger='current',
            level=logging.WARNING,
        )
        return None


def _checkpoint(config: Path) -> str:
    """Return the checkpoint of the last epoch."""
    epochs = [x for x in checkpoints(config.parent) if x.name.startswith('epoch_')]
    if not epochs:
        raise M2DetError(f'There is no checkpoint in {config.parent / "train"}.')
    return str(epochs[0])


if __name__ == '__main__':
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:
        if mendable(error) is None:
            traceback.print_exc()
        sys.exit(f'{SAYS}{explain(error)}')
