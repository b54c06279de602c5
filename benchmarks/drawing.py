"""Time drawing boxes into images of several sizes, against mmdet's visualizer.

python benchmarks/drawing.py [--sizes 1000x750 ...] [--boxes N] [--rounds N]
    [--limit GB]

Each drawing is a process of its own, in turn, so that its peak of memory is its own.
The time is that of drawing alone: the image is in memory before, and no file is
written. Peak is how far the resident memory, as Linux tells it, grew beyond what the
process held with the image. A process gets at most --limit GB of address space.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.visualization import draw_boxes

# The second has the 16 million pixels to which pictures were limited before.
SIZES = ('1000x750', '4618x3464', '12000x9000')
CLASSES = tuple(f'class {number}' for number in range(80))


def main() -> None:
    """Measure, and print a line for each size and way of drawing."""
    args = _arguments()
    if args.one:
        most = int(args.limit * 1e9)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        print(json.dumps(measure(args.one, _size(args.sizes[0]), args.boxes)))
        return
    used = ['pillow', 'matplotlib', 'numpy']
    about = versions() | {name: version(name) for name in used}
    print(describe_machine(torch.device('cpu')), end='; ')
    print(', '.join(' '.join(item) for item in about.items()))
    print(f'{args.boxes} boxes of {len(CLASSES)} classes, median of {args.rounds}')
    for size in args.sizes:
        rows = {name: [] for name in WAYS}
        for name in list(WAYS) * args.rounds:
            rows[name].append(_in_process(name, size, args.boxes, args.limit))
        for name, results in rows.items():
            print(_line(size, name, results), flush=True)


def measure(name: str, size: tuple[int, int], count: int) -> tuple[float, int]:
    """Draw once; return seconds, and bytes of memory that this took at its peak."""
    width, height = size
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    starts = rng.uniform(0, 0.9, (count, 2))
    sides = rng.uniform(0.01, 0.1, (count, 2))
    boxes = np.hstack((starts, starts + sides)) * ([width, height] * 2)
    labels = rng.integers(0, len(CLASSES), count)
    scores = rng.uniform(0.3, 1, count)
    # Fonts are opened and modules imported before.
    WAYS[name](image[:99, :99].copy(), boxes[:1] / width * 99, labels[:1], scores[:1])
    # Forgets the peak until now.
    Path('/proc/self/clear_refs').write_text('5')
    held = _resident('VmRSS')
    start = time.perf_counter()
    picture = WAYS[name](image, boxes, labels, scores)
    seconds = time.perf_counter() - start
    assert picture.shape == image.shape
    return seconds, _resident('VmHWM') - held


def _resident(key: str) -> int:
    """Read ``VmRSS``, the memory held now, or ``VmHWM``, its peak, bytes."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith(key)) * 1024


def _mmdet(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    visualizer = DetLocalVisualizer(name='benchmark')
    visualizer.dataset_meta = {'classes': CLASSES, 'palette': 'random'}
    found = InstanceData(
        bboxes=torch.from_numpy(boxes),
        labels=torch.from_numpy(labels),
        scores=torch.from_numpy(scores),
    )
    sample = DetDataSample(pred_instances=found)
    visualizer.add_datasample('x', image[..., ::-1], sample, draw_gt=False)
    return visualizer.get_image()[..., ::-1]


def _ours(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    return draw_boxes(image, boxes, labels, CLASSES, scores=scores)


WAYS: dict[str, Callable[..., np.ndarray]] = {'mmdet': _mmdet, 'ours': _ours}


def _in_process(
    name: str, size: str, count: int, limit: float
) -> tuple[float, int] | None:
    """Measure in a process of its own; ``None`` if it fails, as without memory."""
    command = [sys.executable, __file__, '--one', name, '--sizes', size]
    command += ['--boxes', str(count), '--limit', str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f'{name} fails with {size}: {done.stderr[-200:]}', file=sys.stderr)
        return None
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def _line(size: str, name: str, results: list[tuple[float, int] | None]) -> str:
    known = [result for result in results if result is not None]
    if not known:
        return f'{size} pixels, {name}: fails'
    seconds, peak = (statistics.median(row) for row in zip(*known, strict=True))
    width, height = _size(size)
    return (
        f'{size} pixels, {name}: {seconds:.2f} s, peak {peak / 2**20:.0f} MiB, '
        f'{peak / (width * height):.0f} bytes a pixel'
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition('x')
    return int(width), int(height)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--sizes', nargs='+', default=SIZES, metavar='WxH')
    parser.add_argument('--boxes', type=int, default=300)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--limit', type=float, default=20, metavar='GB')
    parser.add_argument('--one', choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == '__main__':
    main()
