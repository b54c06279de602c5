"""Train a detector.

m2det train CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--amp]
    [--cfg-options K=V ...]
"""

import argparse

from .arguments import add_config_arguments, add_launch_arguments, config_options


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
    """Train as the arguments say; show progress, result and the next command."""
    from mmengine.dist import is_main_process

    from ..apis import train
    from .console import TrainingConsole

    # Settings that were overridden are those of the config in the work folder.
    with TrainingConsole(None if args.cfg_options else args.config) as console:
        result = train(
            args.config,
            work_dir=args.work_dir,
            # mmdet spells it so.
            resume=True if args.resume == 'auto' else args.resume or False,
            amp=args.amp,
            amp_dtype=args.amp_dtype,
            auto_scale_lr=args.auto_scale_lr,
            launcher=args.launcher,
            options=config_options(args.cfg_options),
            on_event=console.show,
        )
        if is_main_process():
            console.close(result)
