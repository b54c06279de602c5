"""Processors and memory, and how much of them this process may use."""

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, note, ok, problem

# Where Linux says what a container may use; version 2 of control groups, then 1.
_CPU_QUOTA = Path('/sys/fs/cgroup/cpu.max')
_MEMORY_LIMITS = (
    Path('/sys/fs/cgroup/memory.max'),
    Path('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
)
_MEMORY = Path('/proc/meminfo')
_LITTLE = 2e9


def check_processors() -> Iterator[Finding]:
    """Count the cores that there are, and those that may be used."""
    cores = os.cpu_count() or 1
    usable = float(cores)
    if hasattr(os, 'sched_getaffinity'):
        usable = min(usable, len(os.sched_getaffinity(0)))
    quota = _quota()
    usable = min(usable, quota) if quota is not None else usable
    words = f'{platform.machine()}, {cores} cores'
    if usable < cores:
        fix = 'let --workers and OMP_NUM_THREADS be no more than that'
        yield note('processor', f'{words}, {usable:g} of them for this process', fix)
    else:
        yield ok('processor', words)


def check_memory() -> Iterator[Finding]:
    """Look how much memory is free, and how much this process may use."""
    sizes = _sizes()
    limit = _limit()
    if not sizes:
        yield note('memory', 'unknown on this system')
        return
    total, free = sizes['MemTotal'], sizes.get('MemAvailable', sizes['MemFree'])
    words = f'{free / 1e9:.1f} of {total / 1e9:.1f} GB free'
    if limit is not None and limit < total:
        words += f', at most {limit / 1e9:.1f} GB for this container'
        free = min(free, limit)
    if free < _LITTLE:
        fix = 'end other programs, or take a smaller --batch-size'
        yield problem('memory', words, fix)
    else:
        yield ok('memory', words)


def _quota() -> float | None:
    """Cores that a container may use, in parts of them."""
    words = _read(_CPU_QUOTA).split()
    if len(words) != 2 or words[0] == 'max':
        return None
    return int(words[0]) / int(words[1])


def _limit() -> int | None:
    """Bytes that a container may use."""
    for path in _MEMORY_LIMITS:
        text = _read(path).strip()
        if text.isdigit():
            return int(text)
    return None


def _sizes() -> dict[str, int]:
    """What Linux says of the memory, in bytes."""
    lines = re.findall(r'^(\w+):\s*(\d+) kB$', _read(_MEMORY), re.MULTILINE)
    return {name: int(size) * 1024 for name, size in lines}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ''
