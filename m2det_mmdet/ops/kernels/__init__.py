"""The loops of soft-NMS, for each type of device.

Each kernel has ``picks(boxes, scores, labels, settings, limit)``, described in
:func:`.picks_torch.picks`, and gives the same boxes in the same order.
"""

import logging
import os
import shutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

from ..options import METHODS, Settings, check_limit, check_number

__all__ = [
    'METHODS',
    'Settings',
    'check_limit',
    'check_number',
    'kernel',
    'kernel_name',
]


def kernel_name(device: torch.device | str, dtype: torch.dtype = torch.float32) -> str:
    """Return the name of the kernel for boxes on a device: numba, triton or torch."""
    kind = torch.device(device).type
    if kind == 'cpu' and _works('numba'):
        return 'numba'
    if kind == 'cuda' and dtype == torch.float32 and _works('triton'):
        return 'triton'
    return 'torch'


def kernel(device: torch.device | str, dtype: torch.dtype) -> ModuleType:
    """Import the kernel for boxes of a dtype on a device."""
    return import_module(f'.picks_{kernel_name(device, dtype)}', __name__)


@cache
def _works(name: str) -> bool:
    """Whether a compiler can be used; log the reason if it is there but fails."""
    if find_spec(name) is None:
        return False
    try:
        import_module(f'.picks_{name}', __name__)
    # A broken installation may raise anything.
    except Exception as error:
        reason = str(error).rstrip('.')
    else:
        if name != 'triton' or _c_compiler():
            return True
        reason = 'it needs a C compiler, and there is no gcc or clang: install one'
    logging.getLogger('m2det_mmdet').warning(
        'Soft-NMS runs in plain PyTorch, because %s cannot be used: %s.', name, reason
    )
    return False


def _c_compiler() -> str | None:
    """Path of the C compiler that Triton uses for its launchers."""
    names = (os.environ.get('CC'), 'gcc', 'clang', 'cc')
    return next((path for name in names if name and (path := shutil.which(name))), None)
