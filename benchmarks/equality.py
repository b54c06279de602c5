"""Compare soft-NMS with the compiled operators of mmcv on random cases.

python benchmarks/equality.py [--cases 2000] [--json FILE]

The cases are those of the tests, but for what mmcv leaves undefined: boxes have an area
and finite numbers. mmcv's order of equal scores follows from its swaps, so that a class
is compared up to the first decision that such a tie, or rounding, may turn. Of
`batched_nms`, which shifts classes apart, coordinates are eighths of a pixel and not
negative: the shift changes none of them.
"""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from m2det_mmdet.analysis.machine import (
    describe_machine,
    has_compiled_operators,
    versions,
)
from m2det_mmdet.ops import batched_soft_nms, soft_nms

# The plain loop and its random cases.
TESTS = Path(__file__).resolve().parents[1] / 'tests' / 'test_ops'
LARGEST = 2000
# Above this mmcv computes in another way.
SPLIT = 10000
Row = dict[str, Any]


def main() -> None:
    """Compare, print the counts, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--cases', type=int, default=2000)
    parser.add_argument('--json', type=Path, metavar='FILE')
    args = parser.parse_args()
    if not has_compiled_operators():
        parser.error('mmcv has no compiled operators here: install mmcv with them.')
    sys.path.insert(0, str(TESTS))
    cases, reference = map(import_module, ('cases', 'reference'))
    about = {'machine': describe_machine(torch.device('cpu')), **versions()}
    print(', '.join(f'{key} {value}' for key, value in about.items()))
    seeds = range(10**7, 10**7 + args.cases)
    rows = {
        'soft_nms': compare(single, seeds, cases, reference),
        'batched_nms': compare(batched, seeds, cases, reference),
    }
    for name, row in rows.items():
        print(
            f'{name}: {row["cases"]} cases, {row["whole"]} compared wholly, '
            f'{row["bitwise"]} with the same bits; of {row["picks"]} picks '
            f'{row["compared"]} compared; scores differ by {row["score"]:.1e} at '
            f'most; {len(row["different"])} cases differ: {row["different"][:10]}'
        )
    if args.json:
        args.json.write_text(json.dumps({**about, **rows}, indent=2) + '\n')


def compare(pair: Any, seeds: range, cases: ModuleType, reference: ModuleType) -> Row:
    """Compare on all cases what ``pair`` makes of each.

    Args:
        pair: Changes a case in place and returns the results of mmcv and ours.
        seeds: Of the cases.
        cases: Makes the cases.
        reference: Knows which decisions are close.
    """
    row: Row = {'cases': len(seeds), 'whole': 0, 'bitwise': 0, 'picks': 0}
    row |= {'compared': 0, 'score': 0.0, 'different': []}
    for seed in seeds:
        case = cases.random_case(seed, largest=LARGEST, plain=True)
        (dets, keep), (our_dets, our_keep) = pair(case)
        row['bitwise'] += keep.equal(our_keep) and dets.equal(our_dets)
        traces = reference.soft_nms_loop(
            case.boxes, case.scores, case.labels, input_order=False, **case.options
        )
        theirs, ours = dict(pairs(dets, keep)), dict(pairs(our_dets, our_keep))
        try:
            for found, scores in ((keep, dets), (our_keep, our_dets)):
                compared, picks, _ = reference.compare(
                    traces, found.numpy(), scores[:, 4].numpy(), case.labels, case.boxes
                )
        except AssertionError:
            row['different'].append(seed)
            continue
        row['whole'] += compared == picks
        row['picks'] += picks
        row['compared'] += compared
        certain = [x for t in traces.values() for x in t.rows[: t.certain]]
        differences = [abs(theirs[x] - ours[x]) for x in certain if x in ours]
        row['score'] = max([row['score'], *differences])
    return row


def single(case: Any) -> tuple:
    """Results of both for one class."""
    case.labels[:] = 0
    inputs = [torch.from_numpy(x) for x in (case.boxes, case.scores)]
    without_weak_best(case)
    theirs = import_module('mmcv.ops').soft_nms(*inputs, **case.options)
    return theirs, soft_nms(*inputs, **case.options)


def batched(case: Any) -> tuple:
    """Results of both for many classes."""
    case.boxes[:] = np.round(np.abs(case.boxes) * 8) / 8
    case.boxes[:, 2:] = np.maximum(case.boxes[:, 2:], case.boxes[:, :2] + 1)
    case.labels[:] %= 80
    # At 0 boxes that are apart act on each other, with mmcv those of all classes.
    case.options['iou_threshold'] = case.options['iou_threshold'] or 0.25
    without_weak_best(case)
    inputs = [torch.from_numpy(x) for x in (case.boxes, case.scores, case.labels)]
    if not len(case.boxes):
        empty = torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)
        return empty, batched_soft_nms(*inputs, **case.options)
    config = {'type': 'soft_nms', 'split_thr': SPLIT, **case.options}
    theirs = import_module('mmcv.ops').batched_nms(*inputs, config)
    return theirs, batched_soft_nms(*inputs, **case.options)


def without_weak_best(case: Any) -> None:
    """Lift the best score to the limit, below which mmcv would keep that box alone."""
    if len(case.scores):
        best = case.scores.argmax()
        case.scores[best] = max(case.scores[best], np.float32(0.31))


def pairs(dets: torch.Tensor, keep: torch.Tensor) -> zip:
    """Rows and their scores."""
    return zip(keep.tolist(), dets[:, 4].tolist(), strict=True)


if __name__ == '__main__':
    main()
