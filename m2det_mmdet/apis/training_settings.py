"""Settings of a training that depend on the machine, the data or an earlier run."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.logging import print_log

from ..checkpoints.latest import LAST, checkpoint_folder, newest_state, states_in
from ..recipes.learning_rate import scale_learning_rate
from ..utils.configs import describe
from ..utils.errors import M2DetError
from ..utils.first_process import in_first_process
from ..utils.logs import prints_to, quiet_log
from ..utils.processors import warn_if_slow


def mix_precision(cfg: Config, dtype: str | None) -> None:
    """Train with autocast to ``dtype``; for ``None`` as the config says."""
    device = get_device()
    if device in ('cpu', 'mps'):
        raise M2DetError(
            f'amp trains on a GPU, and the best device here is {device}: leave it out.'
        )
    wrapper = cfg.optim_wrapper
    wrapper.type = 'AmpOptimWrapper'
    if dtype is not None:
        wrapper.dtype = dtype
    # The range of bfloat16 is that of float32: its gradients need no scale.
    wrapper.loss_scale = 1.0 if wrapper.get('dtype') == 'bfloat16' else 'dynamic'


def warn_of_slow_precision(cfg: Config) -> None:
    """Log that the device is slow in the config's lower precision, if it is."""
    wrapper = cfg.get('optim_wrapper') or {}
    if wrapper.get('type') == 'AmpOptimWrapper':
        device = torch.device(get_device())
        warn_if_slow(device, wrapper.get('dtype') or 'float16', 'mixed precision')


def check_batches(cfg: Config, images: int) -> None:
    """Stop where an epoch would have no batch, and nothing would be trained.

    Where the last batch is kept, an epoch is one batch of all images: that is logged.
    """
    loader = cfg.train_dataloader
    size = loader.get('batch_size') or 1
    own = math.ceil(images / get_world_size())
    if own > 0 and (own >= size or _is_endless(loader)):
        return
    batches = loader.get('batch_sampler') or {}
    if own == 0 or loader.get('drop_last') or batches.get('drop_last'):
        raise M2DetError(
            f'The {own} images that each process trains on make no batch of {size}: '
            f'set train_dataloader.batch_size to {max(own, 1)} or less, or add images.'
        )
    print_log(
        f'A batch of {size} is more than the {own} images that each process trains on: '
        f'all batches have {own}, while the learning rate may belong to {size}.',
        logger=quiet_log(),
        level=logging.WARNING,
    )


def _is_endless(loader: Mapping[str, Any]) -> bool:
    """Whether images come again and again, so that every batch is full."""
    kind = (loader.get('sampler') or {}).get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rpartition('.')[2] == 'InfiniteSampler'


def scale_lr_to_batch(cfg: Config) -> None:
    """Scale the learning rate by the total batch, from what the config names."""
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise M2DetError(
            f'auto_scale_lr needs auto_scale_lr.base_batch_size in {describe(cfg)}: '
            'add auto_scale_lr = dict(base_batch_size=32).'
        )
    scale_learning_rate(cfg)


def resume_from(cfg: Config, resume: bool | str | Path) -> None:
    """Let the run go on from a checkpoint, by default the newest of its folder."""
    checkpoint = resume
    if resume is True:
        with prints_to(quiet_log()):
            checkpoint = in_first_process(lambda: newest_state(_folder(cfg)))
        # In an empty work folder the run begins as one that is not resumed.
        if checkpoint is None:
            return
    cfg.load_from = str(checkpoint)
    cfg.resume = True


def checkpoints_to_replace(cfg: Config, *, force: bool) -> list[Path]:
    """List the checkpoints of an earlier training in the folder of a new one.

    Args:
        cfg: The config, with its work folder.
        force: Whether they may be deleted.

    Raises:
        M2DetError: If there are some, and they may not.
    """
    folder = _folder(cfg)
    states = in_first_process(lambda: states_in(folder))
    if states and not force:
        names = ', '.join(path.name for path in states[:3])
        raise M2DetError(
            f'{folder} holds the checkpoints of a training ({names}): go on with it by '
            '--resume, delete them by --force, or give another --work-dir.'
        )
    if not states:
        return []
    # Further names of these files are no states of their own.
    others = [*folder.glob('best*.pth'), *folder.glob(LAST)]
    return [*dict.fromkeys([*states, *others])]


def _folder(cfg: Config) -> Path:
    """Return where a run has its checkpoints."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    return checkpoint_folder(cfg.work_dir, hook.get('out_dir'))
