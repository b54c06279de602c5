"""Train a detector.

m2det train CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--cfg-options K=V ...]
"""

import argparse

from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from .configs import (
    add_config_arguments,
    add_launch_arguments,
    build_runner,
    check_checkpoint,
    launch_config,
)
from .errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of mmdet's ``train.py``."""
    add_config_arguments(parser)
    add_launch_arguments(parser)
    parser.add_argument(
        '--amp', action='store_true', help='train in automatic mixed precision'
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
    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        _enable_auto_scale_lr(cfg)
    if args.resume is not None:
        _resume(cfg, args.resume)
    build_runner(cfg).train()


def _enable_auto_scale_lr(cfg: Config) -> None:
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise UserError(
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
