"""What is checked before anything is built, trained or computed."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch.utils.data import Dataset

from ..analysis.structure import structure_of
from ..checkpoints.loading import check_checkpoint
from ..checkpoints.weights import check_weights
from ..engine.hooks.class_check_hook import check_classes
from ..utils.errors import M2DetError
from ..utils.logs import prints_to, quiet_log

# What PyTorch calls where CXX is not set.
_COMPILERS = {'darwin': 'clang++', 'win32': 'cl'}


def check_run(
    cfg: Config,
    stages: tuple[str, ...],
    checkpoint: str | Path | None,
    *,
    complete: bool,
) -> dict[str, Dataset]:
    """Load the data of a run, and compare model, data and checkpoint.

    Args:
        cfg: The config.
        stages: Of ``train``, ``val`` and ``test``, those that the run has.
        checkpoint: Weights that will be loaded, if any.
        complete: Whether they have to be all weights of the model.

    Returns:
        The data sets by stage, for the runner to take.

    Raises:
        M2DetError: If the model does not build, the data do not load, the two differ in
            their classes, or the checkpoint does not fit the model.
    """
    if checkpoint is not None:
        check_checkpoint(str(checkpoint))
    with prints_to(quiet_log()):
        return _check(cfg, stages, checkpoint, complete=complete)


def _check(
    cfg: Config,
    stages: tuple[str, ...],
    checkpoint: str | Path | None,
    *,
    complete: bool,
) -> dict[str, Dataset]:
    structure = structure_of(cfg)
    if checkpoint is not None:
        weights = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
        check_weights(weights, structure, complete=complete)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    datasets = {}
    for stage in stages:
        loader = cfg.get(f'{stage}_dataloader')
        if loader is not None:
            datasets[stage] = DATASETS.build(loader.dataset)
            check_classes(structure, datasets[stage])
    return datasets


def acceleration_options(
    *, fast: bool, compile: bool, autocast: str | None
) -> dict[str, Any] | None:
    """Arguments of :func:`.accelerate`; ``None`` if nothing was asked for.

    Args:
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: Lower precision inside the network, or ``None``.

    Raises:
        M2DetError: If there is nothing to compile with.
    """
    # CXX may hold options, or a wrapper before the compiler.
    command = os.environ.get('CXX') or _COMPILERS.get(sys.platform, 'g++')
    compiler = command.split()[0]
    if compile and not torch.cuda.is_available() and not shutil.which(compiler):
        raise M2DetError(
            f'Compiling needs a C++ compiler and there is no {compiler}: install it, '
            'set CXX to another one, or leave compile out.'
        )
    if not (fast or compile or autocast):
        return None
    return {
        'fold_norm': fast,
        'channels_last': fast,
        'compile': compile,
        'autocast': autocast,
    }


def check_at_least(name: str, number: int | None, lowest: int) -> None:
    """Raise if an argument is below its lowest value.

    Raises:
        M2DetError: One sentence that names both.
    """
    if number is not None and number < lowest:
        raise M2DetError(f'{name} must be at least {lowest}, got {number}.')
