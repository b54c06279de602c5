"""Find sizes of anchors that fit a data set.

m2det anchors CONFIG --data DATA [-o FILE.py] [--picture FILE.png]

Prints the settings of the config's anchor generator that reach most training objects,
and how many these are before and after: those with an anchor of at least IoU 0.5, and
of the IoU of training if that is another. Objects are as large as the config's test
pipeline makes them. The number of anchors in a cell stays. With -o a config is written
that inherits from CONFIG.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import at_least, data_path

if TYPE_CHECKING:
    from ..apis import FittedAnchors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'config',
        help='path of a config, the name of one of m2det (m2det_vgg_320), or '
        'mmdet::FOLDER/NAME.py',
    )
    parser.add_argument(
        '--data',
        type=data_path,
        required=True,
        help="a data folder in COCO's, VOC's or YOLO's form, or a data.yaml",
    )
    parser.add_argument(
        '-o', '--write', type=Path, metavar='FILE', help='write a config FILE.py'
    )
    parser.add_argument(
        '--picture', type=Path, metavar='FILE', help='draw objects and anchors'
    )
    parser.add_argument(
        '--seed',
        type=at_least(0),
        default=0,
        help='decides the split of data that have none, and which of many objects '
        'are looked at (default: 0)',
    )
    parser.add_argument('--force', action='store_true', help='replace files')


def run(args: argparse.Namespace) -> None:
    """Print how anchors fit before and after, and the settings."""
    from ..apis import fit_anchors

    fitted = fit_anchors(
        args.config,
        args.data,
        write=args.write,
        picture=args.picture,
        force=args.force,
        seed=args.seed,
    )
    _show(fitted)
    if fitted.written is not None:
        print(f'Config written to {fitted.written}')
    if fitted.picture is not None:
        print(f'Picture written to {fitted.picture}')


def _show(fitted: 'FittedAnchors') -> None:
    objects = fitted.before.objects
    print(
        f'{fitted.config}: {len(objects):,} training objects of {fitted.images:,} '
        'images\n'
    )
    print(fitted.table() + '\n')
    if fitted.settings:
        print(fitted.as_config())
    else:
        print("No better anchors were found: the config's own are kept.")
    if advice := fitted.after.advice():
        missed = int((~fitted.after.reached()).sum())
        print(f'Not reached are {missed:,} objects: {advice}')
