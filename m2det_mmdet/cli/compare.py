"""Train detectors on the same data with the same budget, and compare them.

m2det compare CONFIG [CONFIG ...] --data DATA --out OUT (--epochs N | --minutes M)

DATA is a folder in COCO's, VOC's or YOLO's form; without it all configs must name the
same data. Each config and seed is trained, evaluated and timed in its own process. The
table in OUT/comparison.md is written anew after every run, the pictures at the end. The
same command goes on where an earlier one was stopped, and tries again what failed.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import (
    add_boundary_argument,
    add_config_options,
    add_engine_arguments,
    add_form_argument,
    at_least,
    config_options,
    data_path,
    engine_options,
    positive,
)
from .termination import terminable

if TYPE_CHECKING:
    from ..apis import RunEvent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'configs',
        nargs='+',
        metavar='CONFIG',
        help='path of a config, the name of one of m2det, or mmdet::FOLDER/NAME.py',
    )
    parser.add_argument(
        '--data', type=data_path, help="folder of the data; the configs' own by default"
    )
    add_boundary_argument(parser)
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument('--epochs', type=at_least(1), help='train each for N epochs')
    budget.add_argument('--minutes', type=positive, help='train each for M minutes')
    parser.add_argument(
        '--seeds',
        type=at_least(0),
        nargs='+',
        default=[0],
        help='train with each (default: 0)',
    )
    parser.add_argument(
        '--batch-size',
        type=at_least(1),
        help="images a batch; each config's own by default",
    )
    parser.add_argument(
        '--workers',
        type=at_least(0),
        help="loading processes; each config's own by default",
    )
    add_config_options(parser)
    add_engine_arguments(parser, 'runs')
    add_form_argument(
        parser,
        'safetensors: each run also writes train/last.safetensors, the weights of its '
        'last checkpoint alone (default: pth, checkpoints alone)',
    )
    parser.add_argument(
        '--force', action='store_true', help='start runs anew whose settings changed'
    )


def run(args: argparse.Namespace) -> int:
    """Do what is missing, and write the table after every run.

    Returns:
        0 if all is done, 1 if runs failed.
    """
    from ..apis import compare

    with terminable():
        comparison = compare(
            args.configs,
            args.out,
            data=args.data,
            allow_outside=args.allow_outside,
            epochs=args.epochs,
            minutes=args.minutes,
            seeds=args.seeds,
            batch_size=args.batch_size,
            workers=args.workers,
            form=args.form,
            force=args.force,
            options=config_options(args.cfg_options),
            on_event=_show,
            **engine_options(args),
        )
    print(f'Table written to {args.out / "comparison.md"}')
    failed = len(comparison.failed)
    if failed:
        print(
            f'{failed} of {len(comparison.runs)} runs failed; the same command tries '
            'again.'
        )
    return int(failed > 0)


def _show(event: 'RunEvent') -> None:
    """Print what happens to a run."""
    found = {
        'done': f'AP {event.ap:.3f}' if event.ap is not None else '',
        'again': f'its process died ({event.reason}), begins again',
        'failed': f'failed: {event.reason}',
    }
    print(
        f'[{event.number}/{event.total}] {event.run.name}, seed {event.run.seed}: '
        f'{found.get(event.state, event.state)}',
        flush=True,
    )
