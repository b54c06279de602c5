"""Time a detector: network and suppression apart, and images a second by batch.

m2det bench CONFIG [--checkpoint FILE] [--image-dir DIR] [--batch-sizes 1 4]

Images lie on the device, resized and normalised, before the clock starts; it stops when
the device has finished. Without --checkpoint the weights are random: the network takes
as long as with others, the suppression does not.
"""

import argparse
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import CheckpointLoader, load_checkpoint
from torch import nn

from ..analysis.complexity import measure
from ..analysis.machine import describe_machine, load, versions
from ..analysis.random_weights import build_random
from ..analysis.speed import Speed, matmul_flops_per_second, measure_speed, splits
from ..analysis.speed_report import Report
from ..analysis.structure import structure_of
from ..checkpoints.loading import check_checkpoint
from ..checkpoints.weights import check_weights
from ..models.acceleration import accelerate
from ..models.dense_heads import M2DetHead
from ..ops.kernels import kernel_name
from ..utils.configs import load_config
from ..utils.devices import find_device
from ..utils.errors import M2DetError
from ..utils.files import check_output, write_whole
from ..utils.images import find_images, read_images
from .acceleration import acceleration_options, add_acceleration_arguments
from .arguments import add_config_arguments, add_device_argument

SEED = 0
# Height, width, channels: a frequent size in COCO, which the pipeline resizes.
_RANDOM_SHAPE = (480, 640, 3)
_RANDOM_IMAGES = 16
# Calls on a CPU, and on anything faster: the paper's number of images.
_IMAGES = (20, 1000)
_WARM_UP = (3, 20)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument('--checkpoint', help='path or URL; random weights by default')
    parser.add_argument(
        '--image-dir', help='folder or glob of images; random ones by default'
    )
    parser.add_argument(
        '--images',
        type=int,
        help='images to time, those there are in turn: {} on a CPU, else {}'.format(
            *_IMAGES
        ),
    )
    parser.add_argument(
        '--warm-up',
        type=int,
        help='batches before these: {} on a CPU, else {}'.format(*_WARM_UP),
    )
    parser.add_argument(
        '--batch-sizes',
        type=int,
        nargs='+',
        default=[1],
        metavar='N',
        help="images at a time; 1, the paper's, is always measured",
    )
    add_device_argument(parser)
    add_acceleration_arguments(parser)
    parser.add_argument('--out', type=Path, metavar='FILE', help='write JSON as well')
    parser.add_argument('--force', action='store_true', help='replace FILE')


def run(args: argparse.Namespace) -> None:
    """Measure as the arguments say, print a table, and write JSON where asked to."""
    jobs = load()
    _check(args)
    device = find_device(args.device)
    out = None if args.out is None else check_output(args.out, force=args.force)
    options = acceleration_options(args)
    repeats, warm_up = _counts(args, device)
    cfg = load_config(args.config, args.cfg_options)
    model = _build(cfg, args.checkpoint).to(device)
    images = _images(cfg, args.image_dir, repeats)
    if options is not None:
        model = _accelerate(model, options)
    speeds = _speeds(cfg, model, images, args.batch_sizes, repeats, warm_up)
    dtype = (options or {}).get('autocast') or 'float32'
    report = Report(
        config=Path(cfg.filename).stem,
        checkpoint=args.checkpoint,
        images=args.image_dir,
        distinct_images=len(images),
        machine=describe_machine(device),
        load=jobs,
        versions=versions(),
        acceleration=options,
        suppression=_suppression(model, device),
        speeds=speeds,
        flops=_flops(cfg, model, speeds[0]),
        product_dtype=dtype,
        product_flops_per_second=matmul_flops_per_second(device, getattr(torch, dtype)),
    )
    print(report.to_text())
    if out is not None:
        content = json.dumps(report.to_dict(), indent=2) + '\n'
        write_whole(out, lambda file: file.write(content.encode()))
        print(f'Written to {args.out}')


def _check(args: argparse.Namespace) -> None:
    """Stop at numbers that cannot be, and at a checkpoint that is not there."""
    for option, numbers, lowest in (
        ('--images', [args.images], 1),
        ('--warm-up', [args.warm_up], 0),
        ('--batch-sizes', args.batch_sizes, 1),
    ):
        for number in numbers:
            if number is not None and number < lowest:
                raise M2DetError(f'{option} must be at least {lowest}, got {number}.')
    if args.checkpoint is not None:
        check_checkpoint(args.checkpoint)


def _counts(args: argparse.Namespace, device: torch.device) -> tuple[int, int]:
    """Images to time and batches before them, by default those for ``device``."""
    kind = 0 if device.type == 'cpu' else 1
    images = _IMAGES[kind] if args.images is None else args.images
    return images, _WARM_UP[kind] if args.warm_up is None else args.warm_up


def _build(cfg: Config, checkpoint: str | None) -> nn.Module:
    """Build the detector with all weights of a checkpoint, or with random ones."""
    structure = structure_of(cfg)
    if checkpoint is not None:
        weights = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        check_weights(weights, structure, complete=True)
    torch.manual_seed(SEED)
    model = build_random(cfg)
    if checkpoint is not None:
        load_checkpoint(model, checkpoint, map_location='cpu')
    return model.eval()


def _accelerate(model: nn.Module, options: dict[str, Any]) -> nn.Module:
    try:
        return accelerate(model, **options)
    except ValueError as error:
        raise M2DetError(f'This detector cannot be made faster: {error}') from error


def _images(cfg: Config, folder: str | None, limit: int) -> list[dict]:
    """Return what the test pipeline makes of at most ``limit`` images."""
    pipeline = _pipeline(cfg)
    arrays = _random_images(limit) if folder is None else _read(folder, limit)
    return [pipeline({'img': array, 'img_id': i}) for i, array in enumerate(arrays)]


def _pipeline(cfg: Config) -> Compose:
    """Test pipeline that begins with an array and reads nothing else."""
    if 'test_dataloader' not in cfg:
        raise M2DetError(
            f'{cfg.filename} has no test_dataloader, whose pipeline prepares the '
            'images: add it.'
        )
    steps = cfg.test_dataloader.dataset.pipeline
    kept = [step for step in steps if not step.type.split('.')[-1].startswith('Load')]
    return Compose([{'type': 'mmdet.LoadImageFromNDArray'}, *kept])


def _random_images(limit: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(SEED)
    for _ in range(min(limit, _RANDOM_IMAGES)):
        yield generator.integers(0, 256, _RANDOM_SHAPE, dtype=np.uint8)


def _read(folder: str, limit: int) -> Iterator[np.ndarray]:
    # Nothing is left out: the results are one file.
    paths = find_images([folder], exclude=Path(os.devnull))
    for path, image in read_images(paths[:limit]):
        if image is None:
            raise M2DetError(
                f'{path} is no image that can be read: take it out of {folder}.'
            )
        yield image


def _speeds(
    cfg: Config,
    model: nn.Module,
    images: list[dict],
    batch_sizes: Sequence[int],
    repeats: int,
    warm_up: int,
) -> list[Speed]:
    """Measure one image at a time, then each of ``batch_sizes``."""
    # As a test of the config runs.
    torch.backends.cudnn.benchmark = bool(
        cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    )
    return [
        measure_speed(
            model,
            images,
            batch_size=size,
            repeats=math.ceil(repeats / size),
            warm_up=warm_up,
        )
        for size in dict.fromkeys([1, *batch_sizes])
    ]


def _suppression(model: nn.Module, device: torch.device) -> str | None:
    """Name the suppression of a dense head, and of ours the kernel that serves it."""
    if not splits(model):
        return None
    head = model.bbox_head
    nms = (getattr(head, 'test_cfg', None) or {}).get('nms') or {}
    kind = str(nms.get('type', 'none'))
    if isinstance(head, M2DetHead) and nms:
        return f'{kind}, {kernel_name(device)} kernel'
    return kind


def _flops(cfg: Config, model: nn.Module, speed: Speed) -> int | None:
    """Operations of the network for an image, where they are those of ``speed``."""
    if not splits(model):
        return None
    try:
        cost = measure(cfg)
    except ValueError:
        # No Resize tells the size.
        return None
    return cost.flops if cost.input_size == speed.input_size else None
