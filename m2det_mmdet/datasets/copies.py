"""Files that hold the same bytes."""

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from ..utils.files import sha256_of

# Bytes from the middle of a file, which tell most files of one size apart.
_SAMPLE = 1 << 14


def same_files(paths: Sequence[Path]) -> list[list[int]]:
    """Find files that hold the same bytes, and read whole only those that may.

    Args:
        paths: The files; one that cannot be read is like no other.

    Returns:
        The places of each such group of files, in their order.
    """
    groups = [list(range(len(paths)))]
    for key in (_size, _sample, sha256_of):
        groups = [part for group in groups for part in _parts(paths, group, key)]
    return groups


def _parts(
    paths: Sequence[Path], group: Iterable[int], key: Callable[[Path], Hashable]
) -> list[list[int]]:
    """Split a group by a property of its files, and leave out what is alone."""
    parts = defaultdict(list)
    for place in group:
        try:
            parts[key(paths[place])].append(place)
        except OSError:
            continue
    return [part for part in parts.values() if len(part) > 1]


def _size(path: Path) -> int:
    return os.stat(path).st_size


def _sample(path: Path) -> bytes:
    with open(path, 'rb') as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _SAMPLE) // 2)
        return sha256(file.read(_SAMPLE)).digest()
