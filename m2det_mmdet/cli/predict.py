"""Detect objects in images.

m2det predict CONFIG CHECKPOINT INPUT... -o OUT

Writes OUT/pictures, each image with its boxes under its own name, and
OUT/results.json in COCO's results format: image_id, category_id, bbox (x, y, width,
height in pixels of the image), score, and file_name. With --ann-file the ids are those
of that file, where an image's file_name is the end of its path. Without, images are
numbered from 1 in the order of the inputs, and categories have COCO's ids if the
classes are COCO's 80, else 1, 2, ... in the order of the classes.

A run that is killed leaves OUT/results.partial.jsonl: a line of results an image.
"""

import argparse
import sys
from pathlib import Path

from .arguments import (
    add_acceleration_arguments,
    add_config_arguments,
    add_device_argument,
    at_least,
    config_options,
    fraction,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument(
        'checkpoint', help='path, URL or name (`m2det zoo`) of the checkpoint'
    )
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='image, folder or glob pattern'
    )
    parser.add_argument('-o', '--out', required=True, type=Path, help='output folder')
    parser.add_argument(
        '--score-thr', type=fraction, default=0.3, help='lowest score that is drawn'
    )
    parser.add_argument('--ann-file', help='COCO annotations that give the ids')
    add_device_argument(parser)
    parser.add_argument(
        '--batch-size', type=at_least(1), default=1, help='images at a time'
    )
    add_acceleration_arguments(parser)
    parser.add_argument(
        '--force', action='store_true', help='replace earlier results and pictures'
    )


def run(args: argparse.Namespace) -> int:
    """Predict as the arguments say.

    The exit status is 1 if an image was skipped or has no picture.
    """
    from ..apis import ImageDone, predict
    from .console import bar

    written = 0
    with bar('Predicting') as advance:

        def show(event: ImageDone) -> None:
            nonlocal written
            written += not event.skipped
            if event.problem is not None:
                print(event.problem, file=sys.stderr)
            advance(event.done, event.total)

        try:
            result = predict(
                args.config,
                args.checkpoint,
                args.inputs,
                args.out,
                score_thr=args.score_thr,
                ann_file=args.ann_file,
                device=args.device,
                batch_size=args.batch_size,
                fast=args.fast,
                compile=args.compile,
                autocast=args.autocast,
                force=args.force,
                options=config_options(args.cfg_options),
                on_event=show,
            )
        except BaseException:
            if written:
                results = args.out / 'results.json'
                print(f'Stopped after {written} images: {results}.', file=sys.stderr)
            raise
    found = len(result.predictions)
    total = found + len(result.skipped)
    print(f'{found} of {total} images done: {result.results}, {result.pictures}')
    return int(bool(result.problems))
