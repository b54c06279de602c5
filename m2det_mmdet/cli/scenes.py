"""Write the generated demo data set, in COCO format.

m2det scenes OUT [--num-train N] [--num-val N] [--num-test N] [--seed N]
    [--collection figures|toys] [--force]
"""

import argparse

from .arguments import at_least

# Those of m2det_mmdet.datasets.scenes.write_scenes.
DEFAULTS = {'num_train': 3000, 'num_val': 200, 'num_test': 200}
SIZE = (320, 320)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`.write_scenes`."""
    parser.add_argument('out', help='folder to write to')
    for name, number in DEFAULTS.items():
        split = name.removeprefix('num_')
        parser.add_argument(
            f'--num-{split}',
            type=at_least(1),
            default=number,
            help=f'number of {split} images (default: {number})',
        )
    parser.add_argument(
        '--size',
        type=at_least(1),
        nargs=2,
        default=SIZE,
        metavar=('WIDTH', 'HEIGHT'),
        help='size of the images, pixels (default: {} {})'.format(*SIZE),
    )
    parser.add_argument(
        '--seed', type=at_least(0), default=0, help='same seed, same images'
    )
    parser.add_argument(
        '--collection',
        choices=['figures', 'toys'],
        default='figures',
        help='ten classes in three grades, or four others (default: figures)',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace scenes written there before'
    )


def run(args: argparse.Namespace) -> None:
    """Write the scenes, with a progress bar."""
    from ..apis import write_scenes
    from .console import bar

    with bar('Writing scenes') as advance:
        write_scenes(
            args.out,
            num_train=args.num_train,
            num_val=args.num_val,
            num_test=args.num_test,
            size=tuple(args.size),
            seed=args.seed,
            collection=args.collection,
            overwrite=args.force,
            progress=advance,
        )
    print(f'Scenes written to {args.out}')
