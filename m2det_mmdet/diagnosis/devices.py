"""The devices that compute: each does a little sum whose result is known."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn import functional as F

from ..ops.failures import reason_of
from .findings import Finding, note, ok, problem, stop

# A 3x3 window over a 4x4 picture of ones holds 4 of them in each corner, 6 at an edge
# and 9 inside: 4 * 4 + 8 * 6 + 4 * 9.
_SUM = 100.0
_DRIVER = Path('/proc/driver/nvidia')
_NEW_PYTORCH = 'install PyTorch for this driver: https://pytorch.org/get-started'


def check_cpu() -> Iterator[Finding]:
    """Compute on the processor."""
    name = 'processor computes'
    trouble = _trouble('cpu')
    if trouble:
        yield stop(name, trouble, '`pip install --force-reinstall torch`')
    else:
        yield ok(name, f'with {torch.get_num_threads()} threads of PyTorch')


def check_cuda() -> Iterator[Finding]:
    """Compute on each GPU, or say why there is none."""
    if not torch.cuda.is_available():
        yield _no_gpu()
        return
    for index in range(torch.cuda.device_count()):
        name = f'GPU {index}'
        free, total = torch.cuda.mem_get_info(index)
        words = (
            f'{torch.cuda.get_device_name(index)}, {free / 1e9:.1f} of '
            f'{total / 1e9:.1f} GB free, CUDA {torch.version.cuda or torch.version.hip}'
        )
        trouble = _trouble(f'cuda:{index}')
        if trouble:
            yield problem(name, f'{words}: {trouble}', _NEW_PYTORCH)
        else:
            yield ok(name, words)


def check_mps() -> Iterator[Finding]:
    """Compute on Apple's GPU, where there is one."""
    if not torch.backends.mps.is_available():
        return
    trouble = _trouble('mps')
    if trouble:
        fix = 'set PYTORCH_ENABLE_MPS_FALLBACK=1, or take --device cpu'
        yield problem('MPS', trouble, fix)
    else:
        yield ok('MPS', "Apple's GPU computes")


def _no_gpu() -> Finding:
    """Say why no GPU can be used: hidden, of no use to this PyTorch, or not there."""
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES')
    if hidden is not None and hidden.strip() in ('', '-1', 'NoDevFiles'):
        found = f'hidden by CUDA_VISIBLE_DEVICES={hidden}'
        return note('GPU', found, '`unset CUDA_VISIBLE_DEVICES`, if one is there')
    has_driver = _DRIVER.exists() or shutil.which('nvidia-smi') is not None
    built = torch.version.cuda or torch.version.hip
    if built is None and has_driver:
        found = (
            f'a driver of NVIDIA is there, and PyTorch {torch.__version__} is for CPUs'
        )
        return problem('GPU', found, _NEW_PYTORCH)
    if has_driver:
        found = f'PyTorch for CUDA {built} cannot use the driver: {_cuda_error()}'
        return problem('GPU', found, f'update the driver, or {_NEW_PYTORCH}')
    suffix = '' if built is None else f' that PyTorch for CUDA {built} could use'
    return note('GPU', f'there is none{suffix}: the processor computes')


def _cuda_error() -> str:
    try:
        torch.cuda.init()
    except Exception as error:
        return reason_of(error)
    return 'it lists no GPU'


def _trouble(device: str) -> str | None:
    """Say what is wrong with a sum and its gradient on a device."""
    try:
        picture = torch.ones(1, 1, 4, 4, device=device, requires_grad=True)
        window = torch.ones(1, 1, 3, 3, device=device)
        total = F.conv2d(picture, window, padding=1).sum()
        total.backward()
        found = (total.item(), picture.grad.sum().item())
    except Exception as error:
        return f'cannot compute: {reason_of(error)}'
    if found != (_SUM, _SUM):
        return f'computes {found[0]} and {found[1]} where {_SUM} is right'
    return None
