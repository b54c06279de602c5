"""Time the networks of a family of configs in turn and in one run, batch 1.

python benchmarks/family.py [FAMILY] [--only NAME ...] [--rounds N] [--json FILE]

FAMILY is a folder of configs with a metafile, as of `m2det table`; what the metafile
puts beside them is timed, too. Weights and images are random, these of the size of each
config's test images. Decoding and suppression, which depend on the weights, are not
timed. Every round times each network once; ratios to the first are medians over the
rounds, so that what else the machine does weighs on all alike. GFLOP/s count a
multiply-add as two.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from m2det_mmdet.analysis.machine import describe_machine, load_average, versions
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.apis import tabulate
from m2det_mmdet.apis.tabulation import FamilyMember
from m2det_mmdet.utils.configs import load_config
from m2det_mmdet.utils.devices import synchronize
from m2det_mmdet.utils.tables import to_markdown

WARM_UP = 2


def main(argv: list[str] | None = None) -> None:
    """Measure, print a table, and write JSON where asked to."""
    args = _arguments(argv)
    device = torch.device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    load = load_average()
    about = {'machine': describe_machine(device), **versions()}
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    print(f'{args.rounds} rounds; jobs in the minute before: {load}\n', flush=True)
    family = tabulate(args.family)
    members = [
        member
        for member in family.members
        if member.cost and (args.only is None or member.name in args.only)
    ]
    seconds = measure(members, args.rounds, device)
    rows = summarise(members, seconds)
    print(to_markdown(rows))
    for failure in family.failures:
        print(f'not timed: {failure}')
    if args.json:
        report = {'about': about, 'load': load, 'rows': rows, 'seconds': seconds}
        args.json.write_text(json.dumps(report, indent=2) + '\n', encoding='utf-8')


@torch.no_grad()
def measure(
    members: list[FamilyMember], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Return the seconds of each network by the name of its config, round by round."""
    runs = {member.name: _prepared(member, device) for member in members}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(WARM_UP + rounds):
        for name, (model, image) in runs.items():
            synchronize(device)
            start = time.perf_counter()
            model(image, mode='tensor')
            synchronize(device)
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _prepared(member: FamilyMember, device: torch.device) -> tuple[nn.Module, Tensor]:
    model = build_random(load_config(member.config)).eval().to(device)
    return model, torch.randn(1, 3, *member.cost.input_size, device=device)


def summarise(
    members: list[FamilyMember], seconds: dict[str, list[float]]
) -> list[dict[str, Any]]:
    """Return a row for each network, with its ratio to the first one's time."""
    first = seconds[members[0].name]
    rows = []
    for member in members:
        own = seconds[member.name]
        median = statistics.median(own)
        ratio = statistics.median(a / b for a, b in zip(own, first, strict=True))
        rows.append(
            {
                'config': member.name,
                'GFLOP': f'{member.cost.flops / 1e9:.1f}',
                'ms': f'{1e3 * median:.1f}',
                'fastest': f'{1e3 * min(own):.1f}',
                'ratio': f'{ratio:.2f}',
                'GFLOP/s': f'{member.cost.flops / median / 1e9:.1f}',
            }
        )
    return rows


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('family', nargs='?', default='modern')
    parser.add_argument('--only', nargs='+', metavar='NAME')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int)
    parser.add_argument('--json', type=Path, metavar='FILE')
    return parser.parse_args(argv)


if __name__ == '__main__':
    main()
