"""Time decoding and suppression against the network and against mmdet's path.

python benchmarks/post_processing.py [--batch-sizes 1 4] [--predictions FOLDER]

The outputs are the reference predictions of M2Det's release at 320 pixels, of three
images in turn; the network before them, VGG-16 at 320 pixels in float32, runs on random
numbers. Every round times the network, this package's path and, on the same head and
outputs, the image-by-image path that mmdet's heads share; fractions and ratios are
medians over the rounds. Without mmcv's compiled operators mmdet's path runs on this
package's stand-in for them, and is faster than it would be.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Where mmcv has no operators, mmdet's heads need the package's first.
import m2det_mmdet  # noqa: F401

# isort: split
import numpy as np
import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmengine.config import Config
from torch import Tensor

from m2det_mmdet.analysis import machine
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.models.dense_heads import M2DetHead
from m2det_mmdet.utils.devices import synchronize

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs' / 'm2det' / 'm2det_vgg_320.py'
SIZE, SIDES, ANCHORS, CLASSES = 320, (40, 20, 10, 5, 3, 1), 6, 80
PRIORS = sum(side**2 for side in SIDES) * ANCHORS
THRESHOLDS, IOU = (0.05, 0.01), 0.5
# Part of the network's time that decoding and suppression may take.
BAR = 0.03
PATHS = ('ours', 'mmdet')
Stages = dict[str, Callable[[int], Any]]


def main() -> None:
    """Measure, print a line for each setting, and write JSON where asked to."""
    args = _arguments()
    device = torch.device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    about = {'machine': machine.describe_machine(device), **machine.versions()}
    print(', '.join(' '.join(item) for item in about.items()))
    config = Config.fromfile(CONFIG)
    config.model.test_cfg.nms = dict(config.model.test_cfg.nms, iou_threshold=IOU)
    model = build_random(config).eval().to(device)
    # What mmdet's path asks of a head, and SSDHead lacks.
    model.bbox_head.loss_cls = None
    outputs = load_outputs(args.predictions)
    rows = []
    for batch_size in args.batch_sizes:
        images = torch.rand(batch_size, 3, SIZE, SIZE, device=device) * 255 - 120
        for threshold in THRESHOLDS:
            stages = _stages(model, images, outputs, threshold)
            row = {'batch': batch_size, 'score_thr': threshold}
            rows.append(row | _measure(stages, args.rounds, device))
            print(_line(rows[-1]))
    if args.json:
        args.json.write_text(json.dumps({**about, 'rows': rows}, indent=2) + '\n')


def load_outputs(folder: Path) -> list[tuple[Tensor, Tensor]]:
    """Class scores ``(P, 81)`` before softmax and deltas ``(P, 4)`` of each image.

    Args:
        folder: Its files ``post_*.npz``, or ``pipeline.npz`` with the images in one.
    """
    files = sorted([*folder.glob('post_*.npz'), *folder.glob('pipeline.npz')])
    outputs = []
    for data in map(dict, map(np.load, files)):
        for prefix in [x.removesuffix('score_prior') for x in data if 'score_p' in x]:
            prior, label, value = (
                data[f'{prefix}score_{x}'] for x in ('prior', 'class', 'value')
            )
            probability = np.zeros((PRIORS, CLASSES + 1))
            probability[prior, label - 1] = value
            probability[:, CLASSES] = 1 - probability.sum(1)
            logits = np.log(np.maximum(probability, np.exp(-80))).astype(np.float32)
            deltas = np.zeros((PRIORS, 4), np.float32)
            deltas[data[f'{prefix}loc_prior']] = data[f'{prefix}loc_value']
            outputs.append((torch.from_numpy(logits), torch.from_numpy(deltas)))
    if not outputs:
        raise SystemExit(f'{folder} has no predictions: name a folder with post_*.npz.')
    return outputs


def _stages(
    model: torch.nn.Module, images: Tensor, outputs: list, threshold: float
) -> Stages:
    """What is timed of a round: the network, our path, mmdet's path."""
    head = model.bbox_head
    # Without a limit mmdet's path loses the weakest candidate of each scale.
    limit = PRIORS * CLASSES
    cfg = Config({**head.test_cfg, 'score_thr': threshold, 'nms_pre': limit})
    count = len(outputs)
    maps = []
    for first in range(count):
        batch = [outputs[(first + i) % count] for i in range(len(images))]
        maps.append(
            [_to_maps(torch.stack(x).to(images)) for x in zip(*batch, strict=True)]
        )
    meta = {'img_shape': (SIZE, SIZE), 'scale_factor': (0.5, 0.75)}
    rest = {'batch_img_metas': [meta] * len(images), 'cfg': cfg, 'rescale': True}
    return {
        'network': lambda _: head(model.extract_feat(images)),
        'ours': lambda i: M2DetHead.predict_by_feat(head, *maps[i % count], **rest),
        'mmdet': lambda i: BaseDenseHead.predict_by_feat(
            head, *maps[i % count], **rest
        ),
    }


def _to_maps(rows: Tensor) -> list[Tensor]:
    """Split rows of anchors ``(N, P, C)`` into the maps of the head."""
    parts = rows.split([side**2 * ANCHORS for side in SIDES], dim=1)
    return [
        part.reshape(len(rows), side, side, -1).permute(0, 3, 1, 2).contiguous()
        for side, part in zip(SIDES, parts, strict=True)
    ]


@torch.no_grad()
def _measure(stages: Stages, rounds: int, device: torch.device) -> dict:
    """Call all in turn; milliseconds, boxes an image, and medians of ratios.

    The paths take turns in following the network, which empties the caches.
    """
    counts = {name: [] for name in PATHS}
    times = {name: [] for name in stages}
    for index in range(-1, rounds):
        for name in ('network', *(PATHS if index % 2 else PATHS[::-1])):
            synchronize(device)
            start = time.perf_counter()
            found = stages[name](index)
            synchronize(device)
            # The first round warms up.
            if index >= 0:
                times[name].append(time.perf_counter() - start)
            if index >= 0 and name in PATHS:
                counts[name] += map(len, found)
    network, ours, mmdet = (np.array(times[name]) for name in stages)
    return {
        'ms': {name: statistics.median(row) * 1e3 for name, row in times.items()},
        'fraction': float(np.median(ours / network)),
        'ratio': float(np.median(mmdet / ours)),
        'boxes': {name: statistics.mean(row) for name, row in counts.items()},
    }


def _line(row: dict) -> str:
    verdict = 'holds' if row['fraction'] <= BAR else 'missed'
    boxes = ' and '.join(f'{count:.0f}' for count in row['boxes'].values())
    return (
        f'batch {row["batch"]}, scores above {row["score_thr"]}: '
        + ', '.join(f'{name} {ms:.2f} ms' for name, ms in row['ms'].items())
        + f'; {row["fraction"]:.2%} of the network (bar {BAR:.0%}: {verdict}), '
        f'mmdet {row["ratio"]:.1f} times ours; boxes an image {boxes}'
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    folder = ROOT / 'tests' / 'data' / 'release'
    parser.add_argument('--predictions', type=Path, default=folder, metavar='FOLDER')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 4])
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, help='of PyTorch')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--json', type=Path, metavar='FILE')
    return parser.parse_args()


if __name__ == '__main__':
    main()
