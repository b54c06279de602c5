"""Train a detector.

m2det train CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--amp]
    [--cfg-options K=V ...]
"""

import argparse

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import find_latest_checkpoint

from ..checkpoints.loading import check_checkpoint
from ..engine.runner import build_runner
from ..utils.errors import M2DetError
from .arguments import add_config_arguments, add_launch_arguments, launch_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of mmdet's ``train.py``."""
    add_config_arguments(parser)
    add_launch_arguments(parser)
    parser.add_argument(
        '--amp', action='store_true', help='train in automatic mixed precision on a GPU'
    )
    parser.add_argument(
        '--amp-dtype',
        choices=['float16', 'bfloat16'],
        help="--amp in this precision (default: the config's, else float16)",
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the total batch size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from a checkpoint, by default the latest in the work folder',
    )


def run(args: argparse.Namespace) -> None:
    """Train as the arguments say."""
    cfg = launch_config(args)
    if args.amp or args.amp_dtype:
        _mix_precision(cfg, args.amp_dtype)
    if args.auto_scale_lr:
        _enable_auto_scale_lr(cfg)
    if args.resume is not None:
        _resume(cfg, args.resume)
    build_runner(cfg).train()


def _mix_precision(cfg: Config, dtype: str | None) -> None:
    """Train with autocast to ``dtype``; for ``None`` as the config says."""
    device = get_device()
    if device in ('cpu', 'mps'):
        raise M2DetError(
            f'--amp trains on a GPU, and the best device here is {device}: leave the '
            'option out.'
        )
    wrapper = cfg.optim_wrapper
    wrapper.type = 'AmpOptimWrapper'
    if dtype is not None:
        wrapper.dtype = dtype
    # The range of bfloat16 is that of float32: its gradients need no scale.
    wrapper.loss_scale = 1.0 if wrapper.get('dtype') == 'bfloat16' else 'dynamic'


def _enable_auto_scale_lr(cfg: Config) -> None:
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise M2DetError(
            f'--auto-scale-lr needs auto_scale_lr.base_batch_size in {cfg.filename}: '
            'add auto_scale_lr = dict(base_batch_size=32).'
        )
    cfg.auto_scale_lr.enable = True


def _resume(cfg: Config, checkpoint: str) -> None:
    if checkpoint == 'auto':
        # In an empty work folder the run begins as without the option.
        if find_latest_checkpoint(cfg.work_dir) is None:
            return
        cfg.load_from = None
    else:
        check_checkpoint(checkpoint)
        cfg.load_from = checkpoint
    cfg.resume = True
