"""The plain types that a checkpoint may hold beside torch's own.

torch's restricted reader knows tensors, their parts and the builtin containers. This
list adds what MMEngine writes: histories of logged values, NumPy arrays and scalars,
parts of a config. Nothing in it runs what a file says, takes more memory than the
file has bytes, or changes an object outside the file: what would is replaced by a
function or a class of this module that does one thing only.
"""

import codecs
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from torch._weights_only_unpickler import _get_allowed_globals

from .errors import Refusal

# Numbers and text; no objects, no structures.
_DTYPE = re.compile(r'[<>=|]?[?bBhHiIlLqQefdgFDSU]\d*')

# Stand for classes that a file names but must not instantiate.
_ONE_CYCLE = object()
_NDARRAY = object()


class DType:
    """A NumPy dtype of a file: its kind and its byte order, and no fields.

    NumPy believes the state of a dtype, even one that takes numbers for pointers.

    Attributes:
        numpy: The dtype.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not (isinstance(code, str) and _DTYPE.fullmatch(code)):
            raise Refusal(f'it holds a NumPy dtype {code!r}')
        self.numpy = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _, order, *structure = state
        if any(part is not None for part in structure[:3]):
            raise Refusal('it holds a NumPy dtype with fields')
        self.numpy = self.numpy.newbyteorder(order)


class Array(np.ndarray):
    """A NumPy array of a file, which is saved again as a plain one."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, fortran, data = state
        if not isinstance(dtype, DType):
            raise Refusal(f'it holds a NumPy array of {dtype!r}')
        super().__setstate__((version, shape, dtype.numpy, fortran, data))

    def __reduce__(self) -> tuple:
        return self.view(np.ndarray).__reduce__()


def to_numpy(value: Any) -> Any:
    """Return what NumPy itself would have read in the place of ``value``."""
    if isinstance(value, Array):
        return value.view(np.ndarray)
    return value.numpy if isinstance(value, DType) else value


def _reconstruct(kind: object, shape: tuple, code: bytes) -> Array:
    """Stand in for NumPy's: the empty array that the file's state then fills."""
    if kind is not _NDARRAY or tuple(shape) != (0,):
        raise Refusal(f'it holds a NumPy array of shape {shape!r} without values')
    return np.ndarray.__new__(Array, (0,), np.int8)


def _scalar(dtype: DType, data: bytes) -> np.generic:
    """Stand in for NumPy's: a number or text."""
    return np.frombuffer(data, dtype.numpy, count=1)[0]


def _method(owner: object, name: str) -> Callable:
    """Stand in for ``getattr``: methods that MMEngine leaves in its state.

    Raises:
        UnpicklingError: For any other attribute of any object.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    if owner is _ONE_CYCLE and name in ('_annealing_cos', '_annealing_linear'):
        return getattr(OneCycleParamScheduler, name)
    owner_name = 'ndarray' if owner is _NDARRAY else None
    owner_name = owner_name or getattr(owner, '__qualname__', type(owner).__qualname__)
    raise UnpicklingError(f'GLOBAL {owner_name}.{name} is not allowed')


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    """Stand in for ``codecs.encode``, with which a pickle writes bytes as text."""
    if codecs.lookup(encoding).name != 'iso8859-1':
        raise UnpicklingError(f'GLOBAL codecs.{encoding} is not allowed')
    return text.encode('latin1')


def _bytearray(*content: Any) -> bytearray:
    """Stand in for ``bytearray``: of bytes or text, not of a number of them."""
    if content and isinstance(content[0], int):
        raise Refusal(f'it holds a bytearray of {content[0]} zeros')
    return bytearray(*content)


# Read instead of what torch's own list has.
_NARROWER = {'_codecs.encode': _encode, 'builtins.bytearray': _bytearray}


def _entries() -> list[tuple[Any, str]]:
    """Pairs of an object and its name in files."""
    entries = [
        (ConfigDict, 'mmengine.config.config.ConfigDict'),
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_ONE_CYCLE, f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler'),
        (_method, 'builtins.getattr'),
        (slice, 'builtins.slice'),
        (_NDARRAY, 'numpy.ndarray'),
        (DType, 'numpy.dtype'),
        # A file may fill an array and cannot name its class: names have no line break.
        (Array, '\n'),
    ]
    # NumPy 2 renamed the module; either version reads the files of both.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        entries.append((_reconstruct, f'{module}._reconstruct'))
        entries.append((_scalar, f'{module}.scalar'))
    return entries


class _Allowed:
    """Allows the types of this module while at least one file is read.

    torch keeps one list for all threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._undo = ExitStack()

    def begin(self) -> None:
        """Allow them, if no other thread has."""
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                # Leaving torch's context removes all that was given to it, also what
                # the user had allowed before.
                present = torch.serialization.get_safe_globals()
                added = [entry for entry in _entries() if entry not in present]
                self._undo.enter_context(torch.serialization.safe_globals(added))
                known = _get_allowed_globals()
                self._undo.callback(known.update, {n: known[n] for n in _NARROWER})
                known.update(_NARROWER)

    def end(self) -> None:
        """Leave torch's list as it was, if no other thread reads."""
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._undo.close()


_allowed = _Allowed()


@contextmanager
def safe_globals() -> Iterator[None]:
    """Allow the types of this module, and narrow torch's own, while it lasts."""
    _allowed.begin()
    try:
        yield
    finally:
        _allowed.end()
