"""Detect objects in images.

m2det predict CONFIG CHECKPOINT INPUT... -o OUT

Writes OUT/pictures, each image with its boxes under its own name, and
OUT/results.json in COCO's results format: image_id, category_id, bbox (x, y, width,
height in pixels of the image), score, and file_name. With --ann-file the ids are those
of that file. Without, images are numbered from 1 in the order of the inputs, and
categories have COCO's ids if the classes are COCO's 80, else 1, 2, ... in the order of
the classes.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.runner import CheckpointLoader
from rich.progress import track

from ..analysis.structure import structure_of
from ..checkpoints.loading import check_checkpoint
from ..checkpoints.weights import check_weights
from ..datasets.coco import load_annotations
from ..evaluation.coco_records import CocoIds, to_records
from ..models.acceleration import accelerate
from ..utils.configs import load_config
from ..utils.devices import find_device
from ..utils.errors import M2DetError
from ..utils.images import common_folder, find_images, read_images
from .acceleration import acceleration_options, add_acceleration_arguments
from .arguments import add_config_arguments, add_device_argument

Image = tuple[Path, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='path or URL of the checkpoint')
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='image, folder or glob pattern'
    )
    parser.add_argument('-o', '--out', required=True, type=Path, help='output folder')
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='lowest score that is drawn'
    )
    parser.add_argument('--ann-file', help='COCO annotations that tell the ids')
    add_device_argument(parser)
    parser.add_argument('--batch-size', type=int, default=1, help='images at a time')
    add_acceleration_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Predict as the arguments say; the exit status is 1 if an image was skipped."""
    _check(args)
    paths = find_images(args.inputs, exclude=args.out)
    root = common_folder(paths)
    inferencer = _inferencer(args)
    ids = _coco_ids(inferencer, args.ann_file)
    image_ids = _image_ids(paths, ids, args.ann_file)
    unreadable: list[Path] = []
    records: list[dict[str, Any]] = []
    readable = _readable(track(paths, 'Predicting'), unreadable)
    for path, image, sample in _predict(inferencer, readable, args.batch_size):
        name = path.relative_to(root)
        boxes = sample.pred_instances
        records += to_records(boxes, image_ids[path], name.as_posix(), ids)
        picture = args.out / 'pictures' / name
        _draw(inferencer, image, sample, picture, args.score_thr)
    args.out.mkdir(parents=True, exist_ok=True)
    results = args.out / 'results.json'
    results.write_text(json.dumps(records) + '\n', encoding='utf-8')
    done = len(paths) - len(unreadable)
    print(f'{done} of {len(paths)} images done: {results}, {args.out / "pictures"}')
    return 1 if unreadable else 0


def _check(args: argparse.Namespace) -> None:
    check_checkpoint(args.checkpoint)
    if args.batch_size < 1:
        raise M2DetError(f'--batch-size must be at least 1, got {args.batch_size}.')
    if args.device is not None:
        find_device(args.device)


def _inferencer(args: argparse.Namespace) -> DetInferencer:
    """Build the detector with the weights of a checkpoint that has all of them."""
    cfg = load_config(args.config, args.cfg_options)
    weights = CheckpointLoader.load_checkpoint(args.checkpoint, 'cpu')
    check_weights(weights, structure_of(cfg), complete=True)
    inferencer = DetInferencer(
        cfg, args.checkpoint, device=args.device, show_progress=False
    )
    if options := acceleration_options(args):
        accelerate(inferencer.model, **options)
    return inferencer


def _coco_ids(inferencer: DetInferencer, ann_file: str | None) -> CocoIds:
    classes = inferencer.model.dataset_meta['classes']
    if ann_file is None:
        return CocoIds(classes)
    try:
        return CocoIds(classes, load_annotations(ann_file))
    except ValueError as error:
        raise M2DetError(f'--ann-file {ann_file}: {error}') from error


def _image_ids(
    paths: list[Path], ids: CocoIds, ann_file: str | None
) -> dict[Path, int]:
    if ann_file is None:
        return {path: index for index, path in enumerate(paths, start=1)}
    image_ids = {path: ids.image(path) for path in paths}
    absent = [path for path, image_id in image_ids.items() if image_id is None]
    if absent:
        raise M2DetError(
            f'{absent[0]} and {len(absent) - 1} other images are not listed in '
            f'--ann-file {ann_file}: leave the option or the images out.'
        )
    return image_ids


def _readable(paths: Iterable[Path], unreadable: list[Path]) -> Iterator[Image]:
    """Read images; tell of those that cannot be read, and collect them."""
    for path, image in read_images(paths):
        if image is None:
            unreadable.append(path)
            print(f'{path} is no image that can be read: skipped.', file=sys.stderr)
        else:
            yield path, image


def _predict(
    inferencer: DetInferencer, images: Iterator[Image], batch_size: int
) -> Iterator[tuple[Path, np.ndarray, DetDataSample]]:
    while batch := list(islice(images, batch_size)):
        arrays = [image for _, image in batch]
        samples = inferencer(
            arrays, batch_size=batch_size, return_datasamples=True, no_save_vis=True
        )['predictions']
        for (path, image), sample in zip(batch, samples, strict=True):
            yield path, image, sample


def _draw(
    inferencer: DetInferencer,
    image: np.ndarray,
    sample: DetDataSample,
    out_file: Path,
    score_thr: float,
) -> None:
    inferencer.visualizer.add_datasample(
        out_file.name,
        mmcv.bgr2rgb(image),
        sample,
        draw_gt=False,
        pred_score_thr=score_thr,
        out_file=str(out_file),
    )
