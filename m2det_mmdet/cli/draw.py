"""Draw ground truth beside predictions of several images.

m2det draw ANNOTATIONS RESULTS IMAGES -o PICTURE

RESULTS is a JSON in COCO's results format: what `m2det predict --ann-file` writes, or
`m2det test --cfg-options test_evaluator.outfile_prefix=PREFIX`.
"""

import argparse
import json
from json import JSONDecodeError
from pathlib import Path

import mmcv
from pycocotools.coco import COCO

from ..datasets.coco import CheckedCOCO, load_annotations
from ..utils.errors import M2DetError
from ..visualization import draw_comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('annotations', help='COCO annotation file')
    parser.add_argument('results', help='COCO results file')
    parser.add_argument('images', help='folder of the images')
    parser.add_argument('-o', '--out', required=True, help='picture to write')
    parser.add_argument('--num-images', type=int, default=6, help='images to draw')
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='lowest score that is drawn'
    )


def run(args: argparse.Namespace) -> None:
    """Draw the picture."""
    truth = load_annotations(args.annotations)
    picture = draw_comparison(
        truth,
        _load_results(truth, args.results),
        args.images,
        num_images=args.num_images,
        score_thr=args.score_thr,
    )
    mmcv.imwrite(picture, args.out)
    print(f'Ground truth beside predictions: {args.out}')


def _load_results(truth: CheckedCOCO, path: str) -> COCO:
    try:
        records = json.loads(Path(path).read_text(encoding='utf-8'))
        # loadRes fails on an empty list.
        return truth.loadRes(records) if records else COCO()
    except FileNotFoundError as error:
        raise M2DetError(f'There is no results file {path}: check the path.') from error
    except (JSONDecodeError, AssertionError) as error:
        raise M2DetError(
            f'{path} holds no COCO results for these annotations ({error}).'
        ) from error
