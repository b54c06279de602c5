"""Draw ground truth beside predictions of several images.

m2det draw ANNOTATIONS RESULTS IMAGES -o PICTURE

RESULTS is a JSON in COCO's results format, of boxes or of masks, around which boxes are
drawn: what `m2det predict --ann-file` writes, or `m2det test --cfg-options
test_evaluator.outfile_prefix=PREFIX`.
"""

import argparse

from .arguments import at_least, fraction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('annotations', help='COCO annotation file')
    parser.add_argument('results', help='COCO results file')
    parser.add_argument('images', help='folder of the images')
    parser.add_argument('-o', '--out', required=True, help='picture to write')
    parser.add_argument(
        '--num-images', type=at_least(1), default=6, help='images to draw'
    )
    parser.add_argument(
        '--score-thr', type=fraction, default=0.3, help='lowest score that is drawn'
    )
    parser.add_argument('--force', action='store_true', help='replace PICTURE')


def run(args: argparse.Namespace) -> None:
    """Draw the picture."""
    from ..apis import draw

    picture = draw(
        args.annotations,
        args.results,
        args.images,
        args.out,
        num_images=args.num_images,
        score_thr=args.score_thr,
        force=args.force,
    )
    print(f'Ground truth beside predictions: {picture}')
