"""Write a page that tells what a detector can and cannot do.

m2det report RUN [--split test]         of a training, on its own data
m2det report MODEL --data DATA          of any detector, on a folder of your own

MODEL is a run folder, a checkpoint, a name of the zoo, or a config with a checkpoint
behind it. The page is one HTML file that needs no network: the course of the training,
precision and recall, the best threshold on scores, the confusion matrix, errors by kind
and what each costs, the best and the worst images, and the objects that no anchor
reaches. It is in the run folder, report.html, with all figures beside it, report.json.
"""

import argparse
import sys
from pathlib import Path

from .arguments import (
    add_boundary_argument,
    add_config_options,
    add_device_argument,
    config_options,
    data_path,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'model', help='run folder, checkpoint, name (`m2det zoo`), or config'
    )
    parser.add_argument('checkpoint', nargs='?', help='checkpoint of a config')
    parser.add_argument(
        '--data', type=data_path, help='folder of your own, or data.yaml'
    )
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test'],
        help='images to look at: val by default; of a folder that is not split all',
    )
    add_boundary_argument(parser)
    parser.add_argument(
        '-o', '--out', type=Path, help='page to write: RUN/report.html by default'
    )
    parser.add_argument(
        '--force', action='store_true', help='replace a page that --out names'
    )
    add_config_options(parser)
    add_device_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the report, and print where it is and its AP."""
    from ..apis import report
    from .console import bar

    with bar('Looking') as advance:
        result = report(
            args.model,
            args.checkpoint,
            data=args.data,
            split=args.split,
            allow_outside=args.allow_outside,
            out=args.out,
            force=args.force,
            device=args.device,
            options=config_options(args.cfg_options),
            on_event=lambda step: advance(step.batch, step.batches),
        )
    for problem in result.data_problems:
        print(problem, file=sys.stderr)
    summary = result.figures.summary
    figures = ' | '.join(f'{x} {summary[x]:.3f}' for x in ('AP', 'AP50', 'AP75'))
    print(f'{result.split}: {figures} | score threshold {result.score_thr:.2f}')
    print(
        f'Report: {result.page} (looking at the images took '
        f'{result.seconds_to_detect:.1f} s, all else {result.seconds_to_write:.1f} s)'
    )
