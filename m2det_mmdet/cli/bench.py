"""Time a detector: network and suppression apart, and images a second by batch.

m2det bench CONFIG [--checkpoint FILE] [--image-dir DIR] [--batch-sizes 1 4]
m2det bench EXPORTED_FILE [--threads N] [--provider NAME]

Images lie on the device, resized and normalised, before the clock starts; it stops when
the device has finished. Without --checkpoint the weights are random: the network takes
as long as with others, the suppression does not. Of an exported file the whole is
timed, since its parts are within one graph. The exit status is 1 if a part of the
measurement failed; the others are printed and written.
"""

import argparse
import json
import sys
from pathlib import Path

from .arguments import (
    add_acceleration_arguments,
    add_config_arguments,
    add_device_argument,
    add_runtime_arguments,
    at_least,
    config_options,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument(
        '--checkpoint',
        help='path, URL or name (`m2det zoo`); random weights by default',
    )
    parser.add_argument(
        '--image-dir', help='folder or glob of images; random ones by default'
    )
    parser.add_argument(
        '--images',
        type=at_least(1),
        help='images to time, those there are in turn: 20 on a CPU, else 1000',
    )
    parser.add_argument(
        '--warm-up',
        type=at_least(0),
        help='batches before these: 3 on a CPU, else 20',
    )
    parser.add_argument(
        '--batch-sizes',
        type=at_least(1),
        nargs='+',
        default=[1],
        metavar='N',
        help="images at a time; 1, the paper's, is always measured",
    )
    add_device_argument(parser)
    add_acceleration_arguments(parser)
    add_runtime_arguments(parser)
    parser.add_argument('--out', type=Path, metavar='FILE', help='write JSON as well')
    parser.add_argument('--force', action='store_true', help='replace FILE')


def run(args: argparse.Namespace) -> int:
    """Measure as the arguments say, print a table, and write JSON where asked to.

    Returns:
        The exit status: 1 if something could not be measured.
    """
    from ..analysis.speed import Speed
    from ..apis import benchmark
    from ..utils.files import check_output, write_whole

    out = None if args.out is None else check_output(args.out, force=args.force)

    def show(speed: Speed) -> None:
        rate = f'{speed.images_per_second:.2f} images/s'
        # What is there if a later batch size ends the process.
        print(f'Batch size {speed.batch_size}: {rate}', file=sys.stderr, flush=True)

    report = benchmark(
        args.config,
        checkpoint=args.checkpoint,
        image_dir=args.image_dir,
        images=args.images,
        warm_up=args.warm_up,
        batch_sizes=args.batch_sizes,
        device=args.device,
        fast=args.fast,
        compile=args.compile,
        autocast=args.autocast,
        threads=args.threads,
        provider=args.provider,
        options=config_options(args.cfg_options),
        on_event=show,
    )
    print(report.to_text())
    if out is not None:
        write_whole(out, json.dumps(report.to_dict(), indent=2) + '\n')
        print(f'Written to {args.out}')
    return 1 if report.failures else 0
