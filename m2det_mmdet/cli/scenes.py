"""Write the generated demo data set, in COCO format.

m2det scenes OUT [--num-train N] [--num-val N] [--num-test N] [--seed N] [--force]
"""

import argparse

from rich.progress import Progress

from ..datasets.scenes import write_scenes
from ..utils.errors import M2DetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`write_scenes`."""
    parser.add_argument('out', help='folder to write to')
    defaults = write_scenes.__kwdefaults__
    for split in ('train', 'val', 'test'):
        parser.add_argument(
            f'--num-{split}',
            type=int,
            default=defaults[f'num_{split}'],
            help=f'number of {split} images (default: %(default)s)',
        )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=defaults['size'],
        metavar=('WIDTH', 'HEIGHT'),
        help='size of the images, pixels',
    )
    parser.add_argument(
        '--seed', type=int, default=defaults['seed'], help='same seed, same images'
    )
    parser.add_argument(
        '--force', action='store_true', help='replace scenes written there before'
    )


def run(args: argparse.Namespace) -> None:
    """Write the scenes, with a progress bar."""
    with Progress() as bar:
        task = bar.add_task('Writing scenes')
        try:
            write_scenes(
                args.out,
                num_train=args.num_train,
                num_val=args.num_val,
                num_test=args.num_test,
                size=tuple(args.size),
                seed=args.seed,
                overwrite=args.force,
                progress=lambda done, n: bar.update(task, completed=done, total=n),
            )
        except (ValueError, FileExistsError) as error:
            raise M2DetError(str(error)) from error
    print(f'Scenes written to {args.out}')
