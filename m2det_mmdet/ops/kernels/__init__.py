"""The loops of soft-NMS, for each type of device.

Each kernel has ``picks(boxes, scores, labels, settings, limit)``, described in
:func:`.picks_torch.picks`, and gives the same boxes in the same order.
"""

import logging
import os
import shutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

import torch
from torch import Tensor

from ..failures import is_out_of_memory, reason_of
from ..options import METHODS, Settings, check_limit, check_number
from . import picks_torch

__all__ = [
    'METHODS',
    'Settings',
    'check_limit',
    'check_number',
    'kernel_name',
    'or_else',
    'picks',
]

Result = TypeVar('Result')
# Kernels that were imported and did not run.
_failed: set[str] = set()


def kernel_name(device: torch.device | str, dtype: torch.dtype = torch.float32) -> str:
    """Return the name of the kernel for boxes on a device: numba, triton or torch."""
    kind = torch.device(device).type
    if kind == 'cpu' and _works('numba'):
        return 'numba'
    if kind == 'cuda' and dtype == torch.float32 and _works('triton'):
        return 'triton'
    return 'torch'


def picks(
    boxes: Tensor, scores: Tensor, labels: Tensor, settings: Settings, limit: int
) -> tuple[Tensor, Tensor]:
    """Pick boxes by the kernel of their device, or by PyTorch if that does not run.

    Arguments and results are those of :func:`.picks_torch.picks`.
    """
    arguments = (boxes, scores, labels, settings, limit)
    name = kernel_name(boxes.device, boxes.dtype)
    if name == 'torch':
        return picks_torch.picks(*arguments)
    module = import_module(f'.picks_{name}', __name__)
    return or_else(
        name,
        lambda: module.picks(*arguments),
        lambda: picks_torch.picks(*arguments),
    )


def or_else(
    name: str, run: Callable[[], Result], instead: Callable[[], Result]
) -> Result:
    """Return what a kernel gives; if it does not run, do without it from now on.

    A kernel is compiled at its first call, which may fail: for want of a compiler, or
    because the device or its driver does not take the code.

    Args:
        name: The kernel: numba or triton.
        run: Runs it.
        instead: Computes the same without it.

    Raises:
        Exception: What ``instead`` raises, which is no fault of the kernel; and that
            memory is short.
    """
    try:
        return run()
    except Exception as error:
        if is_out_of_memory(error):
            raise
        result = instead()
        if name not in _failed:
            _failed.add(name)
            _warn(name, reason_of(error))
        return result


def _works(name: str) -> bool:
    """Whether a compiler can be used, as far as is known."""
    return name not in _failed and _can_be_imported(name)


@cache
def _can_be_imported(name: str) -> bool:
    """Whether a compiler is there; log the reason if it is but fails."""
    if find_spec(name) is None:
        return False
    try:
        import_module(f'.picks_{name}', __name__)
    # A broken installation may raise anything.
    except Exception as error:
        reason = reason_of(error)
    else:
        if name != 'triton' or _c_compiler():
            return True
        reason = 'it needs a C compiler, and there is no gcc or clang: install one'
    _warn(name, reason)
    return False


def _warn(name: str, reason: str) -> None:
    logging.getLogger('m2det_mmdet').warning(
        'Soft-NMS runs in plain PyTorch, because %s cannot be used: %s.', name, reason
    )


def _c_compiler() -> str | None:
    """Path of the C compiler that Triton uses for its launchers."""
    names = (os.environ.get('CC'), 'gcc', 'clang', 'cc')
    return next((path for name in names if name and (path := shutil.which(name))), None)
