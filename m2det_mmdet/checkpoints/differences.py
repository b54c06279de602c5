"""Where two checkpoints differ, to the last bit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

# What tells of the clock, of the machine's load, of the code, or of where a run lies.
OF_A_RUN = frozenset(
    {
        'time',
        'cfg',
        'mmengine_version',
        'experiment_name',
        'train/time',
        'train/data_time',
        'train/memory',
        'val/time',
        'val/data_time',
        'eta',
        'last_ckpt',
        'best_ckpt',
        'training_seconds',
        'training_peak_memory',
    }
)


def differences(
    one: Any, other: Any, *, ignored: frozenset[str] = OF_A_RUN, place: str = ''
) -> list[str]:
    """List where two checkpoints, or parts of them, differ.

    Args:
        one: What :func:`.load_safely` returns, or a part of it.
        other: The same of the other one.
        ignored: Keys that are not looked at, at any depth.
        place: Name of the part, before the names of the places.

    Returns:
        A sentence a place; none if all tensors, arrays, numbers and texts are equal,
        NaN being equal to NaN.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [key for key in {**one, **other} if key not in ignored]
        pairs = [
            (f'{place}.{key}', one.get(key, _Missing), other.get(key, _Missing))
            for key in keys
        ]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [f'{place}: {len(one)} and {len(other)} entries']
        pairs = [
            (f'{place}.{index}', *both)
            for index, both in enumerate(zip(one, other, strict=True))
        ]
    elif _is_object(one) and type(one) is type(other):
        pairs = [(place, vars(one), vars(other))]
    else:
        return [] if _is_equal(one, other) else [f'{place}: {one!r} and {other!r}']
    return [
        found
        for name, left, right in pairs
        for found in differences(left, right, ignored=ignored, place=name)
    ]


class _Missing:
    """Stands for what only one of them has."""


def _is_object(value: Any) -> bool:
    """Whether it is one of MMEngine's, as a history of a loss."""
    return type(value).__module__.startswith('mmengine.')


def _is_equal(one: Any, other: Any) -> bool:
    arrays = (Tensor, np.ndarray, np.generic)
    if not (isinstance(one, arrays) and isinstance(other, arrays)):
        return type(one) is type(other) and (one == other or (one != one != other))
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()
