"""What is checked before anything is built, trained or computed."""

import logging
import os
import shutil
import sys
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import nn
from torch.utils.data import Dataset

from ..analysis.structure import structure_of
from ..checkpoints.sources import check_checkpoint
from ..checkpoints.weights import check_weights, left_out
from ..compat.distributed import init_dist
from ..engine.hooks.class_check_hook import check_classes
from ..models.acceleration import DTYPES, accelerate
from ..models.detectors import drop_auxiliary
from ..utils.configs import describe
from ..utils.errors import M2DetError
from ..utils.logs import prints_to, quiet_log
from ..utils.texts import shown
from .starting_weights import prepare_weights

# What PyTorch calls where CXX is not set.
_COMPILERS = {'darwin': 'clang++', 'win32': 'cl'}
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
# What each launcher tells its processes, and what to do where it has not.
_VARIABLES = {
    'pytorch': ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_LOCALID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': (
        'OMPI_COMM_WORLD_RANK',
        'OMPI_COMM_WORLD_LOCAL_RANK',
        'OMPI_COMM_WORLD_SIZE',
        'MASTER_ADDR',
    ),
}
_NOT_STARTED = {
    'pytorch': "The launcher 'pytorch' needs the processes that torchrun starts, and "
    'there is no {}: call `torchrun --nproc-per-node N -m m2det_command train ...`, or '
    'leave it out.',
    'slurm': "The launcher 'slurm' needs the processes that srun starts, and there is "
    'no {}: call `srun --ntasks N m2det train ...`, or leave it out.',
    'mpi': "The launcher 'mpi' needs the processes that mpirun starts, and there is no "
    '{}: call `mpirun -np N -x MASTER_ADDR=HOST m2det train ...`, or leave it out.',
}


def start_processes(cfg: Config, launcher: str) -> None:
    """Let the processes of a launcher know of each other, as the runner would later.

    Raises:
        M2DetError: If the launcher is unknown, or did not start this process.
    """
    check_one_of('launcher', launcher, LAUNCHERS)
    lacking = [x for x in _VARIABLES.get(launcher, ()) if x not in os.environ]
    if lacking:
        raise M2DetError(_NOT_STARTED[launcher].format(', '.join(lacking)))
    cfg.launcher = launcher
    if launcher != 'none' and not is_distributed():
        init_dist(launcher, **(cfg.get('env_cfg') or {}).get('dist_cfg', {}))


class CheckedRun(NamedTuple):
    """What a run takes over of its check.

    Attributes:
        datasets: The data sets by stage.
        left_out: The tensors that do not come from the checkpoint, in words; ``None``
            if there are no such, or no checkpoint.
    """

    datasets: dict[str, Dataset]
    left_out: str | None


def check_run(
    cfg: Config,
    stages: tuple[str, ...],
    checkpoint: str | Path | None,
    *,
    complete: bool,
) -> CheckedRun:
    """Load the data of a run, and compare model, data and checkpoint.

    Weights that a training starts from are fetched, see :func:`.prepare_weights`.

    Args:
        cfg: The config; of a training its model may be amended.
        stages: Of ``train``, ``val`` and ``test``, those that the run has.
        checkpoint: Weights that will be loaded, if any.
        complete: Whether they have to be all weights of the model.

    Returns:
        The data sets, for the runner to take, and what does not fit of the checkpoint.

    Raises:
        M2DetError: If the model does not build, the data do not load, the two differ in
            their classes, the checkpoint does not fit the model, or weights to start
            from cannot be had.
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
) -> CheckedRun:
    structure = structure_of(cfg)
    if complete:
        # What only training needs may be absent.
        drop_auxiliary(structure)
    weights = missing = None
    if checkpoint is not None:
        weights = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
        lack = check_weights(weights, structure, complete=complete)
        if lack is not None:
            print_log(lack, logger=quiet_log(), level=logging.WARNING)
        missing = left_out(weights, structure)
    if 'train' in stages:
        prepare_weights(cfg, structure, weights)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    datasets = {}
    for stage in stages:
        loader = cfg.get(f'{stage}_dataloader')
        if loader is not None:
            datasets[stage] = DATASETS.build(loader.dataset)
            check_classes(structure, datasets[stage])
    return CheckedRun(datasets, missing)


def acceleration_options(
    *, fast: bool, compile: bool, autocast: str | None
) -> dict[str, Any] | None:
    """Arguments of :func:`.accelerate`; ``None`` if nothing was asked for.

    Args:
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: Lower precision inside the network, or ``None``.

    Raises:
        M2DetError: If ``autocast`` is unknown or there is nothing to compile with.
    """
    check_one_of('autocast', autocast, DTYPES)
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


def make_faster(model: nn.Module, options: dict[str, Any]) -> None:
    """Accelerate a detector in place.

    Args:
        model: The detector.
        options: Those of :func:`acceleration_options`.

    Raises:
        M2DetError: If the detector has none of the parts that can be made faster.
    """
    try:
        accelerate(model, **options)
    except ValueError as error:
        raise M2DetError(f'This detector cannot be made faster: {error}') from error


def check_one_of(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise if an argument is given and is none of its values.

    Raises:
        M2DetError: One sentence that names them.
    """
    if value is None:
        return
    if not isinstance(value, str) or value not in choices:
        listed = ', '.join(choices)
        raise M2DetError(f'{name} must be one of {listed}, got {shown(value)}.')


def check_fraction(name: str, number: float) -> None:
    """Raise if an argument is not from 0 to 1.

    Raises:
        M2DetError: One sentence that names it.
    """
    # Also what is no number, or NaN.
    if not (isinstance(number, Real) and 0 <= number <= 1):
        raise M2DetError(f'{name} must be from 0 to 1, got {shown(number)}.')


def check_test_pipeline(cfg: Config) -> None:
    """Stop where a config has no pipeline that prepares images for the detector.

    Raises:
        M2DetError: One sentence that names the config.
    """
    if 'test_dataloader' not in cfg:
        raise M2DetError(
            f'{describe(cfg)} has no test_dataloader, whose pipeline prepares the '
            'images: add it.'
        )


def check_at_least(name: str, number: int | None, lowest: int) -> None:
    """Raise if an argument is below its lowest value, or no number.

    Raises:
        M2DetError: One sentence that names both.
    """
    if number is None:
        return
    if not (isinstance(number, Real) and number >= lowest):
        raise M2DetError(f'{name} must be at least {lowest}, got {shown(number)}.')
