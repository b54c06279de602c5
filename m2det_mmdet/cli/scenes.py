"""Write the generated demo data set, in COCO format.

m2det scenes OUT [--num-train N] [--num-val N] [--num-test N] [--seed N] [--force]
"""

import argparse

from rich.progress import Progress

from ..datasets.scenes import write_scenes
from .errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`write_scenes`."""
    parser.add_argument('out', help='folder to write to')
    parser.add_argument('--num-train', type=int, default=900, help='training images')
    parser.add_argument('--num-val', type=int, default=180, help='validation images')
    parser.add_argument('--num-test', type=int, default=180, help='test images')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(320, 320),
        metavar=('WIDTH', 'HEIGHT'),
        help='size of the images, pixels',
    )
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images')
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
            raise UserError(str(error)) from error
    print(f'Scenes written to {args.out}')
