"""What the processor computes with, and whether lower precision is fast on it."""

import logging
import platform
import re
from pathlib import Path

import torch
from mmengine.logging import print_log

_CPU_INFO = Path('/proc/cpuinfo')
# Instructions that multiply in lower precision, by what :func:`platform.machine` says.
_X86 = {
    'bfloat16': ('amx_bf16', 'avx512_bf16', 'avx_ne_convert'),
    'float16': ('amx_fp16', 'avx512_fp16', 'avx_ne_convert'),
}
# Linux calls those of float16 asimdhp, PyTorch fp16_arith.
_ARM = {'bfloat16': ('bf16',), 'float16': ('fp16_arith', 'asimdhp')}
_INSTRUCTIONS = {'x86_64': _X86, 'amd64': _X86, 'aarch64': _ARM, 'arm64': _ARM}


def cpu_name() -> str:
    """Name of the processor, else of its kind."""
    named = re.search(r'^model name\s*:\s*(.+)$', _cpu_info(), re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def describe_instructions() -> str:
    """Say which instructions PyTorch computes with: ``AVX2, no bfloat16, no float16``.

    An unknown lower precision is left out.
    """
    words = [torch.backends.cpu.get_cpu_capability()]
    found = _found()
    for dtype, names in _known().items() if found else ():
        here = [name for name in names if name in found]
        words.append(f'{dtype} by {" and ".join(here)}' if here else f'no {dtype}')
    return ', '.join(words)


def warn_if_slow(device: torch.device, dtype: str, option: str) -> None:
    """Log that a lower precision is slow on a device, if it is.

    Args:
        device: Where it would compute.
        dtype: The lower precision, as :func:`slow_precision` takes it.
        option: What to leave out then, in words.
    """
    if lack := slow_precision(device, dtype):
        print_log(
            f'{dtype} may take several times as long as float32, because {lack}: leave '
            f'{option} out.',
            logger='current',
            level=logging.WARNING,
        )


def slow_precision(device: torch.device, dtype: str) -> str | None:
    """Say what a device lacks to be fast in a lower precision.

    Args:
        device: A processor or a GPU.
        dtype: ``'bfloat16'`` or ``'float16'``.

    Returns:
        What it lacks, in words; ``None`` if nothing, or if that is unknown.
    """
    if device.type == 'cuda':
        with torch.cuda.device(device):
            fast = dtype != 'bfloat16' or torch.cuda.is_bf16_supported(
                including_emulation=False
            )
        if fast:
            return None
        name = torch.cuda.get_device_name(device)
        return f'{name} has no bfloat16, which NVIDIA has from compute capability 8.0'
    names, found = _known().get(dtype), _found()
    if device.type != 'cpu' or not names or not found or found & set(names):
        return None
    return f'{cpu_name()} has no instructions for {dtype} ({", ".join(names)})'


def _known() -> dict[str, tuple[str, ...]]:
    """Instructions for each lower precision on this kind of processor."""
    return _INSTRUCTIONS.get(platform.machine().lower(), {})


def _found() -> set[str]:
    """Return the instructions that the processor has; empty if they are unknown."""
    # Lower versions of PyTorch do not have it.
    if hasattr(torch.cpu, 'get_capabilities'):
        return {name for name, there in torch.cpu.get_capabilities().items() if there}
    listed = re.search(r'^(?:flags|Features)\s*:(.*)$', _cpu_info(), re.MULTILINE)
    return set(listed[1].split()) if listed else set()


def _cpu_info() -> str:
    try:
        return _CPU_INFO.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''
