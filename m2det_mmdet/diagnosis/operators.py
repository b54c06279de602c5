"""The operators: each is run, and its results are compared.

PyTorch's are compared with numbers that were worked out by hand, all others with
PyTorch's.
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor

from ..compat.ext import PortableExtLoader
from ..ops import nms, soft_nms
from ..ops.failures import reason_of
from ..ops.kernels import picks_torch
from ..ops.options import METHODS, Settings
from ..utils.errors import clause_of
from .findings import Finding, note, ok, problem, stop
from .imports import choose_interpreter
from .packages import REBUILD_MMCV

Picks = Callable[[Tensor, Tensor, Tensor, Settings, int], tuple[Tensor, Tensor]]

# The second box has half of the first one's area and lies in it: their IoU is 0.5.
_BOXES = ((0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 5.0), (20.0, 20.0, 30.0, 30.0))
_SCORES = (0.9, 0.8, 0.7)
# The score of the second box is halved, which puts it last.
_SOFT = ([0, 2, 1], (0.9, 0.7, 0.4))
_HARD = [0, 2]
_THRESHOLD = 0.3
# Enough that many overlap.
_MANY = 60
# The kernels differ in how they round an exponential.
_PRECISION = 1e-5


def check_portable() -> Iterator[Finding]:
    """Compare the operators in plain PyTorch with what they have to give."""
    name = 'NMS by PyTorch'
    boxes, scores = torch.tensor([_BOXES]), torch.tensor([_SCORES])
    labels = torch.zeros(1, len(_SCORES), dtype=torch.int64)
    settings = Settings(iou_threshold=_THRESHOLD)
    best, rows = picks_torch.picks(boxes, scores, labels, settings, len(_SCORES))
    kept = nms(boxes[0], scores[0], iou_threshold=_THRESHOLD)
    order, softened = _SOFT
    right = rows[0].tolist() == order and kept.tolist() == _HARD
    if right and _are_close(best[0], torch.tensor(softened)):
        yield ok(name, 'gives what it has to')
    else:
        found = f'gives rows {rows[0].tolist()}, scores {best[0].tolist()}'
        yield stop(name, found, 'install another version of PyTorch')


def check_numba() -> Iterator[Finding]:
    """Compare soft-NMS by numba, which runs on a CPU, with PyTorch's."""
    name = 'NMS by numba'
    if find_spec('numba') is None:
        yield note(name, 'numba is not installed: PyTorch computes instead')
        return
    if os.environ.get('NUMBA_DISABLE_JIT', '0') not in ('', '0'):
        found = 'NUMBA_DISABLE_JIT is set, and the loops are not compiled'
        yield problem(name, found, '`unset NUMBA_DISABLE_JIT`')
        return
    yield _compared(name, 'numba', torch.device('cpu'), 'on the CPU')


def check_triton() -> Iterator[Finding]:
    """Compare soft-NMS by Triton, which runs on a GPU, with PyTorch's."""
    name = 'NMS by Triton'
    if find_spec('triton') is None:
        yield note(name, 'Triton is not installed, and only a GPU of NVIDIA needs it')
    elif torch.cuda.is_available():
        yield _compared(name, 'triton', torch.device('cuda'), 'on the GPU')
    else:
        choose_interpreter()
        where = "in Triton's interpreter, for want of a GPU"
        yield _compared(name, 'triton', torch.device('cpu'), where)


def check_compiled() -> Iterator[Finding]:
    """Compare the compiled operators of mmcv with PyTorch's."""
    name = 'NMS by mmcv'
    spec = find_spec('mmcv._ext')
    # Where there is none, m2det has put its own in the place.
    if spec is None or isinstance(spec.loader, PortableExtLoader):
        yield note(name, "mmcv has no compiled operators: m2det's own compute instead")
        return
    try:
        finding = compare_with(import_module('mmcv.ops'))
    # What does not fit to PyTorch may raise anything.
    except Exception as error:
        found = f'the compiled operators of mmcv cannot be used: {clause_of(error)}'
        yield problem(name, found, REBUILD_MMCV)
    else:
        yield finding


def compare_with(operators: ModuleType) -> Finding:
    """Compare ``nms`` and ``soft_nms`` of mmcv with PyTorch's.

    Args:
        operators: The module ``mmcv.ops``.
    """
    name = 'NMS by mmcv'
    boxes, scores = _many()
    dets, rows = operators.soft_nms(boxes, scores, iou_threshold=_THRESHOLD)
    expected, expected_rows = soft_nms(boxes, scores, iou_threshold=_THRESHOLD)
    kept = operators.nms(boxes, scores, _THRESHOLD)[1]
    expected_kept = nms(boxes, scores, iou_threshold=_THRESHOLD)
    if (
        rows.tolist() == expected_rows.tolist()
        and kept.tolist() == expected_kept.tolist()
        and _are_close(dets, expected)
    ):
        return ok(name, 'compiled, gives the boxes of PyTorch')
    return problem(name, 'gives other boxes than PyTorch', REBUILD_MMCV)


def _compared(name: str, kernel: str, device: torch.device, where: str) -> Finding:
    """Compare a kernel with PyTorch's, method by method."""
    fix = f'`pip install --upgrade --force-reinstall {kernel}`'
    try:
        picks: Picks = import_module(f'..ops.kernels.picks_{kernel}', __package__).picks
        wrong = [method for method in METHODS if not _agree(picks, method, device)]
    except Exception as error:
        return problem(name, f'fails {where}: {reason_of(error)}', fix)
    if wrong:
        found = f'gives other boxes than PyTorch {where} ({", ".join(wrong)})'
        return problem(name, found, fix)
    return ok(name, f'gives the boxes of PyTorch {where}')


def _agree(picks: Picks, method: str, device: torch.device) -> bool:
    boxes, scores = _many()
    labels = torch.arange(_MANY)[None] % 3
    settings = Settings(iou_threshold=_THRESHOLD, method=method)
    batch = (boxes[None], scores[None], labels)
    best, rows = picks_torch.picks(*batch, settings, _MANY)
    found = picks(*(x.to(device) for x in batch), settings, _MANY)
    return bool((found[1].cpu() == rows).all()) and _are_close(found[0].cpu(), best)


def _many() -> tuple[Tensor, Tensor]:
    """Return overlapping boxes ``(N, 4)``, xyxy, and scores that all differ."""
    number = torch.arange(_MANY, dtype=torch.float32)
    left, top = number * 7 % 40, number * 11 % 30
    sides = 10 + number % 7
    boxes = torch.stack((left, top, left + sides, top + 2 * sides), dim=1)
    # 17 and 61 have no common divisor, so that no score comes twice.
    return boxes, 0.05 + (number + 1) * 17 % 61 / 70


def _are_close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, atol=_PRECISION)
