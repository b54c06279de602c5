"""Evaluate a checkpoint.

m2det test MODEL [--data DIR] [--split val] [--tta] [--fast] [--show-dir DIR]

MODEL is a run folder, a name (`m2det zoo`), a checkpoint, or CONFIG CHECKPOINT.
"""

import argparse
import sys

from .arguments import (
    add_acceleration_arguments,
    add_boundary_argument,
    add_config_options,
    add_device_argument,
    add_launch_arguments,
    add_runtime_arguments,
    config_options,
    data_path,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of mmdet's ``test.py``."""
    parser.add_argument(
        'config',
        metavar='model',
        help='run folder, name (`m2det zoo`), checkpoint or exported file; or the path '
        'or name of a config, with a checkpoint',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path, URL or name (`m2det zoo`) of the checkpoint of a config',
    )
    add_config_options(parser)
    add_launch_arguments(parser)
    parser.add_argument(
        '--data', type=data_path, help="folder of your own, in place of the config's"
    )
    parser.add_argument(
        '--split',
        choices=['test', 'val', 'train'],
        default='test',
        help='images to test on; without a test split of --data those of val',
    )
    add_boundary_argument(parser)
    add_device_argument(parser)
    parser.add_argument('--out', help='write the predictions to this pickle file')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument(
        '--show-dir',
        help='folder, in that of the log, of pictures with predictions, in folders as '
        'the images',
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds each picture is shown'
    )
    parser.add_argument(
        '--tta', action='store_true', help="use the config's multi-scale and flip test"
    )
    add_acceleration_arguments(parser)
    add_runtime_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Test as the arguments say, and print the AP in one line."""
    from mmengine.dist import is_main_process

    from ..apis import Step, evaluate
    from .console import bar, format_ap

    with bar('Testing') as advance:
        result = evaluate(
            args.config,
            args.checkpoint,
            data=args.data,
            split=args.split,
            allow_outside=args.allow_outside,
            device=args.device,
            work_dir=args.work_dir,
            tta=args.tta,
            predictions=args.out,
            show=args.show,
            show_dir=args.show_dir,
            wait_time=args.wait_time,
            fast=args.fast,
            compile=args.compile,
            autocast=args.autocast,
            threads=args.threads,
            provider=args.provider,
            launcher=args.launcher,
            options=config_options(args.cfg_options),
            on_event=lambda event: (
                advance(event.batch, event.batches) if isinstance(event, Step) else None
            ),
        )
    if is_main_process():
        for problem in result.data_problems:
            print(problem, file=sys.stderr)
        print(f'Log: {result.log}')
        if result.pictures is not None:
            print(f'Pictures: {result.pictures}')
        print(format_ap(result.metrics))
