"""The plain types that a checkpoint may hold beside torch's own.

torch's restricted reader knows tensors, their parts and the builtin containers. This
list adds what MMEngine writes: histories of logged values, NumPy arrays and scalars,
parts of a config. Nothing in it runs what a file says: ``getattr``, which MMEngine's
histories need, is replaced by a function that knows a few methods only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

# Kinds of numbers and text; no objects, no structures.
_DTYPES = '?bBhHiIlLqQefdgFDSU'

# Stands for the scheduler's class, which a file names but must not instantiate.
_ONE_CYCLE = object()


@contextmanager
def safe_globals() -> Iterator[None]:
    """Allow the types of this module while the context lasts."""
    # Leaving torch's context removes all that was given to it, also what the user
    # had allowed before.
    present = torch.serialization.get_safe_globals()
    added = [entry for entry in _entries() if entry not in present]
    with torch.serialization.safe_globals(added):
        yield


def _entries() -> list[Any]:
    """Pairs of an object and its name in files, and types that have no fixed name."""
    multiarray = (np._core if hasattr(np, '_core') else np.core).multiarray
    entries = [
        (ConfigDict, 'mmengine.config.config.ConfigDict'),
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_ONE_CYCLE, f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler'),
        (_method, 'builtins.getattr'),
        (slice, 'builtins.slice'),
        (np.ndarray, 'numpy.ndarray'),
        (np.dtype, 'numpy.dtype'),
    ]
    # NumPy 2 renamed the module; either version reads the files of both.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        entries.append((multiarray._reconstruct, f'{module}._reconstruct'))
        entries.append((multiarray.scalar, f'{module}.scalar'))
    return entries + list({type(np.dtype(code)) for code in _DTYPES})


def _method(owner: object, name: str) -> Callable:
    """Stand in for ``getattr``: methods that MMEngine leaves in its state.

    Raises:
        UnpicklingError: For any other attribute of any object.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    if owner is _ONE_CYCLE and name in ('_annealing_cos', '_annealing_linear'):
        return getattr(OneCycleParamScheduler, name)
    owner_name = getattr(owner, '__qualname__', type(owner).__qualname__)
    raise UnpicklingError(f'GLOBAL {owner_name}.{name} is not allowed')
