"""Time a detector's network with each option of `accelerate`, in turn and in one run.

python benchmarks/network.py [CONFIG] [--batch-sizes 1 4] [--json FILE]

Weights and images are random. Every round times a product of two square float32
matrices, then each variant once; ratios are medians over the rounds, so that what
else the machine does weighs on all alike. GFLOP/s count a multiply-add as two. The
difference is the largest one from the plain outputs, over the largest of these.
"""

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from m2det_mmdet.analysis.complexity import measure
from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.models.acceleration import accelerate
from m2det_mmdet.utils.devices import synchronize

ROOT = Path(__file__).resolve().parents[1]
SIZE = 2048
PLAIN = {'fold_norm': False, 'channels_last': False}
VARIANTS: dict[str, dict[str, Any] | None] = {
    'plain': None,
    'fold': {'channels_last': False},
    'fold, channels last': {},
    'compile': {**PLAIN, 'compile': True},
    'fold, channels last, compile': {'compile': True},
    'fold, channels last, bfloat16': {'autocast': 'bfloat16'},
    'all with bfloat16': {'compile': True, 'autocast': 'bfloat16'},
}
Row = dict[str, Any]


def main() -> None:
    """Measure, print a table for each batch size, and write JSON where asked to."""
    args = _arguments()
    device = torch.device(args.device)
    if args.busy:
        torch.set_num_threads(1)
    elif args.threads:
        torch.set_num_threads(args.threads)
    if device.type == 'cuda':
        # Products as convolutions compute.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    config = Config.fromfile(args.config)
    cost = measure(config)
    model = build_random(config).eval().to(device)
    names = [name for name in VARIANTS if args.only is None or name in args.only]
    models = {name: _variant(model, VARIANTS[name]) for name in ['plain', *names]}
    about = {'machine': describe_machine(device), **versions()}
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    print(f'{Path(args.config).stem}, {cost.input_size}, {cost.flops / 1e9:.1f} GFLOP')
    batches = {}
    for size in args.batch_sizes:
        images = torch.randn(size, 3, *cost.input_size, device=device)
        clock = time.thread_time if args.busy else time.perf_counter
        batches[size] = _measure(models, images, cost.flops, args.rounds, clock)
        _print(size, batches[size])
    if args.json:
        report = {'about': about, 'flops': cost.flops, 'batches': batches}
        args.json.write_text(json.dumps(report, indent=2) + '\n', encoding='utf-8')


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT / 'configs/m2det/m2det_vgg_320.py'
    parser.add_argument('config', nargs='?', default=str(default))
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 4])
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--only', nargs='+', choices=VARIANTS, metavar='VARIANT')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument(
        '--busy',
        action='store_true',
        help='for a CPU with other work: one thread, by the time it had of the CPU',
    )
    parser.add_argument('--json', type=Path, metavar='FILE')
    return parser.parse_args()


def _variant(model: nn.Module, options: dict[str, Any] | None) -> nn.Module:
    return model if options is None else accelerate(copy.deepcopy(model), **options)


@torch.no_grad()
def _measure(
    models: dict[str, nn.Module],
    images: Tensor,
    flops: int,
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, Row]:
    """Time all models on the same images; return a row for each.

    Args:
        models: Detectors by the names of their variants.
        images: ``(N, 3, H, W)``.
        flops: Operations an image.
        rounds: How often each is timed.
        clock: Seconds.
    """
    rows: dict[str, Row] = {}
    reference = _forward(models['plain'], images)
    for name, model in models.items():
        start = time.perf_counter()
        found = _forward(model, images)
        synchronize(images.device)
        start = time.perf_counter() - start
        rows[name] = {'start': start, 'difference': _difference(found, reference)}
    seconds = _alternate(models, images, rounds, clock)
    product, plain = seconds['product'], seconds['plain']
    rows['product'] = {'gflops': 2 * SIZE**3 / statistics.median(product) / 1e9}
    for name in models:
        total = flops * len(images)
        median = statistics.median(seconds[name])
        rows[name] |= {
            'milliseconds': 1e3 * median / len(images),
            'gflops': total / median / 1e9,
            'of_product': _ratio(product, seconds[name]) * total / (2 * SIZE**3),
            'speed_up': _ratio(plain, seconds[name]),
        }
    return rows


def _alternate(
    models: dict[str, nn.Module],
    images: Tensor,
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, list[float]]:
    """Seconds of the product and of each model, in turn."""
    device = images.device
    left, right = torch.randn(2, SIZE, SIZE, device=device)
    calls: dict[str, Callable[[], Any]] = {'product': lambda: left @ right}
    for name, model in models.items():
        calls[name] = lambda model=model: _forward(model, images)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            synchronize(device)
            start = clock()
            call()
            synchronize(device)
            seconds[name].append(clock() - start)
    return seconds


def _forward(model: nn.Module, images: Tensor) -> list[Tensor]:
    scores, deltas = model.bbox_head(model.extract_feat(images))
    return [*scores, *deltas]


def _ratio(base: list[float], other: list[float]) -> float:
    """Median over the rounds of the times of ``base`` over those of ``other``."""
    return statistics.median(a / b for a, b in zip(base, other, strict=True))


def _difference(found: list[Tensor], reference: list[Tensor]) -> float:
    pairs = zip(found, reference, strict=True)
    return max(float((x - y).abs().max() / y.abs().max()) for x, y in pairs)


def _print(batch_size: int, rows: dict[str, Row]) -> None:
    print(f'\nbatch {batch_size}: product {rows["product"]["gflops"]:.1f} GFLOP/s')
    heads = ('ms/image', 'GFLOP/s', 'of product', 'speed-up', 'difference', 'first s')
    print(f'{"":30}' + ''.join(f'{head:>11}' for head in heads))
    for name, row in rows.items():
        if name != 'product':
            print(
                f'{name:30}{row["milliseconds"]:11.1f}{row["gflops"]:11.1f}'
                f'{row["of_product"]:11.3f}{row["speed_up"]:11.3f}'
                f'{row["difference"]:11.1e}{row["start"]:11.1f}'
            )


if __name__ == '__main__':
    main()
