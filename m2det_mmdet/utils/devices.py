"""Devices that compute: which there are, when they have finished, what they hold."""

import re
import sys
from pathlib import Path

import torch
from mmengine.device import get_device

from .errors import M2DetError
from .texts import one_line, shown


def find_device(name: str | None) -> torch.device:
    """Return the device ``name``, or the best there is.

    Raises:
        M2DetError: If it cannot be used here.
    """
    name = get_device() if name is None else name
    if not isinstance(name, str | torch.device):
        raise M2DetError(f'A device is named by a text, as cpu, got {shown(name)}.')
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = one_line(str(error).partition('\n')[0])
        raise M2DetError(
            f'The device {name} cannot be used here ({reason}): take cpu.'
        ) from error


def synchronize(device: torch.device) -> None:
    """Wait until ``device`` has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    elif device.type != 'cpu':
        torch.get_device_module(device).synchronize()


def reset_peak_memory(device: torch.device) -> None:
    """Let :func:`peak_memory` begin anew, where that is possible: on CUDA."""
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Return the most bytes in use.

    Returns:
        On CUDA what PyTorch's allocator gave out since :func:`reset_peak_memory`. On a
        CPU the resident set of the process since it began. ``None`` where neither is
        known.
    """
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    return _peak_resident() if device.type == 'cpu' else None


def _peak_resident() -> int | None:
    status = Path('/proc/self/status')
    if status.is_file():
        # Linux, where `resource` gives the parent's if that was more.
        peak = re.search(r'VmHWM:\s*(\d+) kB', status.read_text())
        if peak is not None:
            return int(peak[1]) * 1024
    try:
        import resource
    except ImportError:
        # Windows.
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on macOS, else in KiB.
    return peak if sys.platform == 'darwin' else peak * 1024
