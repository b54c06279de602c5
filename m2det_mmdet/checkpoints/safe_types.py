"""The plain types that a checkpoint may hold.

torch's restricted reader knows tensors, their parts and the builtin containers, and
more: functions that allocate, that iterate over what a file gives them, that set any
attribute. Of its list only dtypes and kinds of storage are left; what else torch and
MMEngine write into a checkpoint is read by a function or a class of this module, which
does one thing only. Nothing in it runs what a file says, takes more memory than the
file has bytes, or changes an object outside the file.
"""

import codecs
import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pickle import UnpicklingError
from types import FunctionType, MappingProxyType
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from torch import Tensor, _utils
from torch._weights_only_unpickler import _get_allowed_globals
from torch.serialization import StorageType
from torch.storage import TypedStorage

from ..utils.texts import shown
from .errors import Refusal

# Numbers and text; no objects, no structures.
_DTYPE = re.compile(r'[<>=|]?[?bBhHiIlLqQefdgFDSU]\d*')

# Stand for classes that a file names but must not instantiate.
_ONE_CYCLE = object()
_NDARRAY = object()
_TENSOR = object()

# An array without bytes, as of texts without letters, may still have a shape.
_EMPTY = 2**16


class DType:
    """A NumPy dtype of a file: its kind and its byte order, and no fields.

    NumPy believes the state of a dtype, even one that takes numbers for pointers.

    Attributes:
        numpy: The dtype.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if not (isinstance(code, str) and _DTYPE.fullmatch(code)):
            raise Refusal(f'it holds a NumPy dtype {shown(code)}')
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
            raise Refusal(f'it holds a NumPy array of {shown(dtype)}')
        if math.prod(filter(None, shape)) > max(_EMPTY, len(data)):
            raise Refusal('it holds a NumPy array of more values than bytes')
        super().__setstate__((version, shape, dtype.numpy, fortran, data))

    def __reduce__(self) -> tuple:
        return self.view(np.ndarray).__reduce__()


class History:
    """A history of logged values of a file; MMEngine's changes its own class.

    Attributes:
        state: Its attributes, as they were saved.
    """

    # As errors call it.
    __qualname__ = HistoryBuffer.__qualname__
    state: Mapping[str, Any] = MappingProxyType({})

    def __setstate__(self, state: Any) -> None:
        self.state = _be(dict, state)


def to_numpy(value: Any) -> Any:
    """Return what NumPy itself would have read in the place of ``value``."""
    if isinstance(value, Array):
        return value.view(np.ndarray)
    return value.numpy if isinstance(value, DType) else value


def _reconstruct(kind: object, shape: tuple, code: bytes) -> Array:
    """Stand in for NumPy's: the empty array that the file's state then fills."""
    if kind is not _NDARRAY or shape != (0,):
        raise Refusal('it holds a NumPy array without values')
    return np.ndarray.__new__(Array, (0,), np.int8)


def _scalar(dtype: DType, data: bytes) -> np.generic:
    """Stand in for NumPy's: a number or text."""
    return np.frombuffer(data, dtype.numpy, count=1)[0]


def _method(owner: object, name: str) -> Callable:
    """Stand in for ``getattr``: methods that MMEngine leaves in its state.

    Raises:
        UnpicklingError: For any other attribute of any object.
    """
    if owner is History and name in ('min', 'max', 'current', 'mean'):
        return _left_out
    if owner is _ONE_CYCLE and name in ('_annealing_cos', '_annealing_linear'):
        return getattr(OneCycleParamScheduler, name)
    kind = owner if isinstance(owner, type | FunctionType) else type(owner)
    owner_name = 'ndarray' if owner is _NDARRAY else kind.__qualname__
    name = name if isinstance(name, str) else type(name).__name__
    raise UnpicklingError(f'GLOBAL {owner_name}.{name} is not allowed')


def _left_out() -> None:
    """Stand in for methods that a file names and nobody calls."""


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    """Stand in for ``codecs.encode``, with which a pickle writes bytes as text."""
    if codecs.lookup(encoding).name != 'iso8859-1':
        raise UnpicklingError(f'GLOBAL codecs.{encoding} is not allowed')
    return _be(str, text).encode('latin1')


def _no_bytes() -> bytes:
    """Stand in for ``bytes``, with which a pickle writes none."""
    return b''


def _bytearray(content: Any = b'', *encoding: str) -> bytearray:
    """Stand in for ``bytearray``: of bytes or text, not of a number of them."""
    return bytearray(_be(bytes | str, content), *encoding)


def _made(kind: Callable, *contents: type) -> Callable:
    """Stand in for a container: empty, or of another one of the file."""

    def make(content: Any = None) -> Any:
        return kind() if content is None else kind(_be(contents, content))

    make.__qualname__ = kind.__qualname__
    return make


def _ordered(*pairs: Any) -> OrderedDict:
    """Stand in for the class, which Python 2 gave pairs."""
    return OrderedDict(
        tuple(_be(list | tuple, pair)) for pair in _be(list, *pairs or [[]])
    )


def _config(content: Any) -> ConfigDict:
    """Stand in for MMEngine's class, which copies all that it is given."""
    config = ConfigDict()
    dict.update(config, _be(dict, content))
    return config


_config.__qualname__ = ConfigDict.__qualname__


def _tensor(
    storage: Any,
    offset: int,
    size: tuple,
    stride: tuple,
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: dict | None = None,
) -> Tensor:
    """Stand in for torch's, and leave out what it would call in a backward pass."""
    _be(TypedStorage, storage)
    return _utils._rebuild_tensor_v2(
        storage, offset, size, stride, requires_grad, OrderedDict(), metadata
    )


def _tensor_of_dtype(
    storage: Any,
    offset: int,
    size: tuple,
    stride: tuple,
    requires_grad: bool,
    hooks: Any,
    dtype: torch.dtype,
    metadata: dict | None = None,
) -> Tensor:
    """Stand in for torch's, for the dtypes that have no kind of storage."""
    _be(TypedStorage, storage)
    return _utils._rebuild_tensor_v3(
        storage, offset, size, stride, requires_grad, OrderedDict(), dtype, metadata
    )


def _parameter(data: Any, requires_grad: bool, hooks: Any, state: Any = None) -> Tensor:
    """Stand in for torch's, which sets all attributes that a file gives."""
    return torch.nn.Parameter(_be(Tensor, data), requires_grad)


def _without_attributes(rebuild: Any, kind: Any, args: tuple, state: Any) -> Tensor:
    """Stand in for torch's, which sets any attribute of what any function returns."""
    if rebuild not in _TENSORS.values():
        raise Refusal('it holds a tensor that is made by no function of tensors')
    return rebuild(*args)


def _refusing(text: str) -> Callable:
    """Stand in for a function of torch that no detector here needs."""

    def refuse(*args: Any) -> None:
        raise Refusal(text)

    return refuse


def _strange(kind: str) -> Callable:
    return _refusing(f'it holds a tensor {kind}, which no detector here can load')


def _be(kind: Any, value: Any) -> Any:
    """Return ``value`` if it is of a kind; a file may put anything anywhere."""
    if not isinstance(value, kind):
        raise Refusal(f'it builds something of {shown(value)}, as torch does not')
    return value


_TENSORS = {
    'torch._utils._rebuild_tensor': _tensor,
    'torch._utils._rebuild_tensor_v2': _tensor,
    'torch._utils._rebuild_tensor_v3': _tensor_of_dtype,
    'torch._utils._rebuild_qtensor': _strange('of quantised numbers'),
    'torch._utils._rebuild_sparse_tensor': _strange('of a sparse layout'),
    'torch._utils._rebuild_nested_tensor': _strange('of tensors'),
    'torch._utils._rebuild_meta_tensor_no_storage': _strange(
        'without values (of the meta device)'
    ),
    'torch._utils._rebuild_wrapper_subclass': _strange('without values'),
}

# What a file may name, beside dtypes and kinds of storage.
_READ = _TENSORS | {
    'torch._utils._rebuild_parameter': _parameter,
    'torch._utils._rebuild_parameter_with_state': _parameter,
    'torch._tensor._rebuild_from_type_v2': _without_attributes,
    'torch.Tensor': _TENSOR,
    'torch.nn.parameter.Parameter': _TENSOR,
    'torch.storage.UntypedStorage': StorageType('ByteStorage'),
    'torch.Size': _made(torch.Size, tuple, list),
    'torch.device': torch.device,
    'torch.serialization._get_layout': torch.serialization._get_layout,
    '_codecs.encode': _encode,
    'builtins.bytearray': _bytearray,
    'builtins.bytes': _no_bytes,
    'builtins.complex': complex,
    'builtins.getattr': _method,
    'builtins.set': _made(set, list, tuple),
    'builtins.slice': slice,
    'collections.Counter': _made(Counter, dict),
    'collections.OrderedDict': _ordered,
    'mmengine.config.config.ConfigDict': _config,
    'mmengine.logging.history_buffer.HistoryBuffer': History,
    f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler': _ONE_CYCLE,
    'numpy.ndarray': _NDARRAY,
    'numpy.dtype': DType,
    # NumPy 2 renamed the module; either version reads the files of both.
    'numpy.core.multiarray._reconstruct': _reconstruct,
    'numpy._core.multiarray._reconstruct': _reconstruct,
    'numpy.core.multiarray.scalar': _scalar,
    'numpy._core.multiarray.scalar': _scalar,
}
# Classes that a file may fill. It finds none by these names, which have line breaks.
_FILLED = [(Array, 'Array\n'), (DType, 'DType\n'), (History, 'History\n')]


def _narrowed(known: dict[str, Any]) -> dict[str, Any]:
    """Return what files may name, with a refusal for all else that torch knows."""
    plain = torch.dtype | torch.qscheme | StorageType
    return {
        name: value
        if isinstance(value, plain)
        else _refusing(f'it makes a {name}, as no checkpoint of a detector does')
        for name, value in known.items()
    } | _READ


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
                self._undo.enter_context(torch.serialization.safe_globals(_FILLED))
                known = _get_allowed_globals()
                self._undo.callback(known.update, dict(known))
                # Before that, as the last of what is undone is done first.
                for name in _READ.keys() - known.keys():
                    self._undo.callback(known.pop, name)
                known.update(_narrowed(known))

    def end(self) -> None:
        """Leave torch's list as it was, if no other thread reads."""
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._undo.close()


_allowed = _Allowed()


@contextmanager
def safe_globals() -> Iterator[None]:
    """Read by the list of this module, in place of torch's own, while it lasts."""
    _allowed.begin()
    try:
        yield
    finally:
        _allowed.end()
