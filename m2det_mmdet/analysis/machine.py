"""What a measurement ran on: the machine and the versions."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib import import_module

import mmcv
import mmdet
import torch

from ..utils.errors import M2DetError
from ..utils.processors import cpu_name
from ..version import __version__


def describe_machine(device: torch.device) -> str:
    """Name the device that computes; of a CPU its threads too."""
    if device.type == 'cuda':
        return f'CUDA, {torch.cuda.get_device_name(device)}'
    if device.type == 'cpu':
        return f'CPU, {cpu_name()}, {_count(torch.get_num_threads(), "thread")}'
    return str(device)


def load_average() -> float | None:
    """Jobs that ran or waited for a CPU in the last minute; ``None`` if unknown."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        # Windows.
        return None


def versions() -> dict[str, str]:
    """Versions of what computes, by name, and whether mmcv has compiled operators."""
    kind = 'with' if has_compiled_operators() else 'without'
    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        'mmcv': f'{mmcv.__version__} {kind} compiled operators',
        'mmdet': mmdet.__version__,
        'm2det': __version__,
    }


def check_versions(expected: Mapping[str, str]) -> None:
    """Stop where other versions compute than where a command was started.

    Args:
        expected: What :func:`versions` returned there.

    Raises:
        M2DetError: One sentence that names this machine, and what differs.
    """
    here = versions()
    others = [
        f'{name} {here[name]} in the place of {version}'
        for name, version in expected.items()
        if here[name] != version
    ]
    if others:
        raise M2DetError(
            f'{platform.node()} has {", ".join(others)}: install the same versions on '
            'all machines.'
        )


def has_compiled_operators() -> bool:
    """Whether mmcv has its own operators, not the stand-in of this package."""
    import_module('mmcv.ops')
    spec = sys.modules['mmcv._ext'].__spec__
    package = __name__.partition('.')[0]
    return not str(spec.origin).startswith(f'{package}.')


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'
