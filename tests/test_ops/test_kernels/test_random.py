"""Random cases against the plain loop, wherever its decisions are not close."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from m2det_mmdet.ops import batched_soft_nms

Call = Callable[..., tuple[Tensor, Tensor]]
# How many cases of what size a kernel gets in the fast tests and in the slow ones.
FAST = {'numba': (150, 600), 'torch': (150, 150), 'triton': (25, 8)}
SLOW = {'numba': (2500, 5000), 'torch': (2000, 600), 'triton': (150, 40)}
# The torch kernel gets some large ones as well.
LARGE = {'numba': 0, 'torch': 200, 'triton': 0}


@pytest.fixture
def check(
    call: Call, reference: ModuleType, cases: ModuleType
) -> Callable[[range, int], None]:
    """Compare results with the loop's, and tell how many could be compared."""

    def run(seeds: range, largest: int) -> None:
        compared = made = whole = 0
        worst = 0.0
        for seed in seeds:
            case = cases.random_case(seed, largest=largest)
            inputs = [torch.from_numpy(getattr(case, x)) for x in INPUTS]
            copies = [x.clone() for x in inputs]
            dets, keep = call(batched_soft_nms, *inputs, **case.options)
            _check_order(dets, keep, case, inputs[0])
            traces = reference.soft_nms_loop(
                case.boxes, case.scores, case.labels, **case.options
            )
            try:
                some, of, difference = reference.compare(
                    traces, keep.numpy(), dets[:, 4].numpy(), case.labels, case.boxes
                )
            except AssertionError as error:
                raise AssertionError(f'Case {seed} of at most {largest}.') from error
            _check_limit(call, dets, keep, case, inputs)
            for x, copy in zip(inputs, copies, strict=True):
                torch.testing.assert_close(x, copy, rtol=0, atol=0, equal_nan=True)
            compared, made = compared + some, made + of
            whole += all(trace.whole for trace in traces.values())
            worst = max(worst, difference)
        print(
            f'{len(seeds)} cases of up to {largest} boxes, {whole} compared wholly; of '
            f'{made} picks {compared} compared, {made - compared} skipped; scores '
            f'differ by {worst:.1e} at most.'
        )
        assert compared >= 0.9 * made
        assert whole >= 0.9 * len(seeds)

    return run


INPUTS = ('boxes', 'scores', 'labels')


def test_random_cases(kernel: str, check: Callable[[range, int], None]) -> None:
    count, largest = FAST[kernel]
    check(range(count), largest)


@pytest.mark.slow
def test_many_random_cases(kernel: str, check: Callable[[range, int], None]) -> None:
    count, largest = SLOW[kernel]
    check(range(10**6, 10**6 + count), largest)
    if LARGE[kernel]:
        check(range(2 * 10**6, 2 * 10**6 + LARGE[kernel]), 5000)


def _check_order(dets: Tensor, keep: Tensor, case: object, boxes: Tensor) -> None:
    """Finite, best first, equal ones in input order, boxes unchanged."""
    assert dets.isfinite().all(), case
    steps = dets[:, 4].diff()
    assert (steps <= 0).all(), case
    assert (keep.diff()[steps == 0] > 0).all(), case
    assert torch.equal(dets[:, :4], boxes[keep])


def _check_limit(
    call: Call, dets: Tensor, keep: Tensor, case: object, inputs: list[Tensor]
) -> None:
    """A limit ends the work early and changes nothing else."""
    few, few_keep = call(
        batched_soft_nms, *inputs, max_num=case.max_num, **case.options
    )
    count = case.max_num if case.max_num > 0 else len(keep)
    assert np.array_equal(few_keep, keep[:count])
    assert torch.equal(few, dets[:count])
