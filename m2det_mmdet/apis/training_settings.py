"""Settings of a training that depend on the machine, the data or an earlier run."""

import math
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.runner import find_latest_checkpoint

from ..engine.hooks.plain_names_hook import LAST
from ..recipes.learning_rate import scale_learning_rate
from ..utils.configs import describe
from ..utils.errors import M2DetError
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
    """Stop where an epoch would have no batch, and nothing would be trained."""
    loader = cfg.train_dataloader
    size = loader.get('batch_size') or 1
    own = math.ceil(images / get_world_size())
    if own == 0 or (loader.get('drop_last') and own < size):
        raise M2DetError(
            f'The {own} images that each process trains on make no batch of {size}: '
            f'set train_dataloader.batch_size to {max(own, 1)} or less, or add images.'
        )


def scale_lr_to_batch(cfg: Config) -> None:
    """Scale the learning rate by the total batch, from what the config names."""
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise M2DetError(
            f'auto_scale_lr needs auto_scale_lr.base_batch_size in {describe(cfg)}: '
            'add auto_scale_lr = dict(base_batch_size=32).'
        )
    scale_learning_rate(cfg)


def resume_from(cfg: Config, resume: bool | str | Path) -> None:
    """Let the run go on from a checkpoint, by default the latest of its folder."""
    checkpoint = resume
    if resume is True:
        checkpoint = _latest(Path(cfg.work_dir))
        # In an empty work folder the run begins as one that is not resumed.
        if checkpoint is None:
            return
    cfg.load_from = str(checkpoint)
    cfg.resume = True


def _latest(folder: Path) -> Path | str | None:
    """Return the latest checkpoint of a folder, if there is one.

    ``last.pth`` comes first, where a run has it: it is whole also where the next one
    was being written, and found in a folder that was moved. MMEngine deletes the one
    before, and notes an absolute path.
    """
    if (folder / LAST).is_file():
        return folder / LAST
    with prints_to(quiet_log()):
        return find_latest_checkpoint(str(folder))
