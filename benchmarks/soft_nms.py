"""Time soft-NMS of this package against mmcv's compiled operators, in one run.

python benchmarks/soft_nms.py [--kernel NAME] [--device cuda] [--json FILE]

Boxes lie around 30 objects and have one of 80 classes. Every round calls each function
once on the same boxes; a ratio is the median over the rounds of another's time to ours.
Without mmcv's compiled operators a straightforward loop takes their place. Of CUDA
tensors mmcv's soft-NMS runs on the host: the transfers are part of its time.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m2det_mmdet.analysis import machine
from m2det_mmdet.ops import batched_soft_nms, kernels
from m2det_mmdet.utils.devices import synchronize

SIZES = (1000, 4000, 9000)
CLASSES, OBJECTS, SIDE, KEPT = 80, 30, 320, 200
IOU, MIN_SCORE = 0.5, 0.05
# Ratios of compiled soft-NMS and compiled hard NMS to ours that are to be reached.
BARS = {1000: (5, 1), 4000: (12, 1), 9000: (15, 1)}
Functions = dict[str, Callable[[], Any]]


def main() -> None:
    """Measure, print a line for each size, and write JSON where asked to."""
    args = _arguments()
    device = torch.device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.kernel:
        kernels.kernel_name = lambda *_: args.kernel
    kernel = kernels.kernel_name(device)
    about = {
        'machine': machine.describe_machine(device),
        'kernel': kernel,
        **machine.versions(),
    }
    print(', '.join(' '.join(item) for item in about.items()))
    compiled = machine.has_compiled_operators()
    if not compiled:
        print('mmcv has no compiled operators: compared with a loop in PyTorch.')
    rows = []
    for size in args.sizes:
        inputs = [x.to(device) for x in clustered_boxes(size)]
        functions = _functions(inputs, compiled)
        rows.append({'boxes': size, **_measure(functions, args.rounds, device)})
        print(_line(rows[-1], compiled))
    if args.json:
        args.json.write_text(json.dumps({**about, 'rows': rows}, indent=2) + '\n')


def clustered_boxes(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes ``(N, 4)`` xyxy in pixels, scores from 0.05 to 1 and classes."""
    draw = torch.Generator().manual_seed(0)
    centres = torch.rand(OBJECTS, 2, generator=draw) * SIDE
    sides = 20 + torch.rand(OBJECTS, 2, generator=draw) * 100
    nearest = torch.randint(0, OBJECTS, (count,), generator=draw)
    noise = torch.randn(2, count, 2, generator=draw)
    centre = centres[nearest] + 4 * noise[0]
    half = sides[nearest] * (0.1 * noise[1]).exp() / 2
    scores = 0.05 + 0.95 * torch.rand(count, generator=draw)
    labels = torch.randint(0, CLASSES, (count,), generator=draw)
    return torch.cat((centre - half, centre + half), 1), scores, labels


def loop(boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Soft-NMS as one writes it down: box by box, each pass over all boxes."""
    scores, picked = scores.clone(), []
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    alive = scores >= MIN_SCORE
    while len(picked) < KEPT and alive.any():
        picked.append(best := int(torch.where(alive, scores, -1).argmax()))
        alive[best] = False
        start = torch.maximum(boxes[best, :2], boxes[:, :2])
        end = torch.minimum(boxes[best, 2:], boxes[:, 2:])
        inter = (end - start).clamp(min=0).prod(1)
        iou = inter / (area[best] + area - inter)
        acts = alive & (labels == labels[best]) & (iou >= IOU)
        scores = torch.where(acts, scores * (1 - iou), scores)
        alive &= scores >= MIN_SCORE
    return torch.cat((boxes, scores[:, None]), 1)[picked], torch.tensor(picked)


def _functions(inputs: list[Tensor], compiled: bool) -> Functions:
    """What is timed: ours first."""
    options = {'iou_threshold': IOU, 'min_score': MIN_SCORE}
    batched_nms = import_module('mmcv.ops').batched_nms
    soft = {'type': 'soft_nms', **options}
    hard = {'type': 'nms', 'iou_threshold': IOU, 'max_num': KEPT}
    functions: Functions = {
        'ours': lambda: batched_soft_nms(*inputs, max_num=KEPT, **options)
    }
    if not compiled:
        return functions | {'loop': lambda: loop(*inputs)}
    return functions | {
        'mmcv soft-NMS': lambda: [x[:KEPT] for x in batched_nms(*inputs, soft)],
        'mmcv hard NMS': lambda: batched_nms(*inputs, hard),
    }


def _measure(functions: Functions, rounds: int, device: torch.device) -> dict:
    """Call all in turn; milliseconds, and ratios to the first."""
    dets = [function()[0].cpu() for function in functions.values()]
    # The scores of ours and of the other soft-NMS.
    difference = (dets[0][:, 4] - dets[1][:, 4]).abs().max().item()
    times = {name: [] for name in functions}
    for name in list(functions) * rounds:
        synchronize(device)
        start = time.perf_counter()
        functions[name]()
        synchronize(device)
        times[name].append(time.perf_counter() - start)
    ratios = {
        name: statistics.median(a / b for a, b in zip(row, times['ours'], strict=True))
        for name, row in times.items()
        if name != 'ours'
    }
    medians = {name: statistics.median(row) * 1e3 for name, row in times.items()}
    return {'ms': medians, 'ratios': ratios, 'score_difference': difference}


def _line(row: dict, compiled: bool) -> str:
    parts = [f'{row["boxes"]} boxes: ours {row["ms"]["ours"]:.3f} ms']
    bars = BARS.get(row['boxes'], (None, None)) if compiled else (None, None)
    for (name, ratio), bar in zip(row['ratios'].items(), bars, strict=False):
        verdict = 'holds' if bar and ratio >= bar else 'missed'
        end = f' (bar {bar}: {verdict})' if bar else ''
        parts.append(f'{name} {row["ms"][name]:.2f} ms, {ratio:.1f} times ours{end}')
    return '; '.join([*parts, f'scores differ by {row["score_difference"]:.1e}'])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--kernel', choices=('numba', 'torch', 'triton'), help="the device's by default"
    )
    parser.add_argument('--threads', type=int, help='of PyTorch')
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, metavar='N')
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--json', type=Path, metavar='FILE')
    return parser.parse_args()


if __name__ == '__main__':
    main()
