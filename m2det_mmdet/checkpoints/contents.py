"""What is checked of all values in a checkpoint, wherever they stand."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, UntypedStorage
from torch.storage import TypedStorage

from ..utils.texts import shown
from ..utils.values import is_count
from .errors import Refusal
from .safe_types import Array, DType, History, to_numpy

# MMEngine's checkpoints are seven deep; Python's own functions stop at a thousand.
_DEPTH = 100
# A tensor that repeats its values, as an index that was expanded, may be larger
# than what is stored of it.
_REPEATED = 2**28
# Values that stand in several places count several times: lists of two of a list of
# two, and so on, are few in a file and endless for who copies them.
_VALUES = 2**21
_STAND_INS = Array | DType | History
# Left over where :func:`_open` replaces none, or by themselves.
_PARTS_ALONE = DType | History | TypedStorage | UntypedStorage
_END = object()


def clean(content: Any, size: int) -> Any:
    """Check all tensors, arrays and containers, in place where they have to change.

    Args:
        content: What was read of a file.
        size: Bytes of the file.

    Returns:
        ``content``, with NumPy's arrays and MMEngine's histories in the place of
        stand-ins, and without the attributes that a file may give to containers.

    Raises:
        Refusal: If there is a tensor without values or with a layout that no detector
            has, a history that is none, or more bytes or levels than can be.
    """
    root = [content]
    # One for each level; a list of all that waits would be larger than the content.
    levels = [iter([root])]
    stored: dict[int, int] = {}
    visits = 0
    while levels:
        value = next(levels[-1], _END)
        if value is _END:
            levels.pop()
            continue
        visits += 1
        if visits > _VALUES:
            raise Refusal(f'it holds more than {_VALUES} values')
        if isinstance(value, Tensor):
            _check_tensor(value)
            storage = value.untyped_storage()
            stored[storage.data_ptr()] = storage.nbytes()
        elif isinstance(value, np.ndarray):
            stored[id(value)] = value.nbytes
        elif isinstance(value, _PARTS_ALONE):
            raise Refusal('it holds parts of tensors or arrays where none can be')
        elif isinstance(value, dict | list | tuple | set):
            if len(levels) > _DEPTH:
                raise Refusal(f'its parts lie more than {_DEPTH} levels deep')
            levels.append(_open(value))
    if sum(stored.values()) > size:
        raise Refusal('it holds more bytes than the file')
    return root[0]


def _open(value: Any) -> Iterator[Any]:
    """Yield what a container holds, and replace stand-ins in it."""
    if isinstance(value, dict):
        if isinstance(value, OrderedDict):
            _keep_versions(value)
        # The config's dictionary has ways of its own to give and take values.
        for key, inner in dict.items(value):
            if isinstance(inner, _STAND_INS):
                dict.__setitem__(value, key, _own(inner))
        yield from dict.values(value)
    else:
        if isinstance(value, list):
            value[:] = map(_own, value)
        yield from value


def _own(value: Any) -> Any:
    """Return what NumPy and MMEngine would have read in the place of ``value``."""
    return _history(value) if isinstance(value, History) else to_numpy(value)


def _keep_versions(weights: OrderedDict) -> None:
    """Drop all attributes but PyTorch's: versions of the modules, by their names."""
    versions = weights.__dict__.pop('_metadata', None)
    weights.__dict__.clear()
    if (kept := module_versions(versions)) is not None:
        weights._metadata = kept


def module_versions(versions: Any) -> OrderedDict[str, dict[str, int]] | None:
    """Copy the versions of modules, by their names, if they are such.

    Modules compare their version with numbers, and PyTorch takes further settings from
    what stands beside it.
    """
    if not isinstance(versions, Mapping):
        return None
    kept = OrderedDict()
    for name, entry in versions.items():
        if not (isinstance(name, str) and isinstance(entry, Mapping)):
            return None
        version = entry.get('version')
        kept[name] = {'version': version} if is_count(version) else {}
    return kept


def _check_tensor(tensor: Tensor) -> None:
    tensor.__dict__.clear()
    kind = None
    if tensor.is_meta:
        kind = 'without values (of the meta device)'
    elif tensor.is_quantized:
        kind = 'of quantised numbers'
    elif tensor.layout != torch.strided or tensor.is_nested:
        kind = f'of the layout {str(tensor.layout).removeprefix("torch.")}'
    if kind is not None:
        raise Refusal(f'it holds a tensor {kind}, which no detector here can load')
    bytes_of_values = tensor.numel() * tensor.element_size()
    if bytes_of_values > max(_REPEATED, tensor.untyped_storage().nbytes()):
        raise Refusal(
            f'it holds a tensor of shape {tuple(tensor.shape)} without values'
        )


def _history(history: History) -> HistoryBuffer:
    """Check a history of logged values, and keep no attributes but MMEngine's."""
    values, counts = (
        to_numpy(history.state.get(key)) for key in ('_log_history', '_count_history')
    )
    length = history.state.get('max_length')
    if not (
        _are_numbers(values) and _are_numbers(counts) and len(values) == len(counts)
    ):
        raise Refusal('it holds a history of logged values that are no numbers')
    if not isinstance(length, int) or length < 1:
        raise Refusal(f'it holds a history of {shown(length)} logged values')
    made = HistoryBuffer(max_length=length)
    # Not copies, as several histories may be given one array.
    made._log_history, made._count_history = values, counts
    return made


def _are_numbers(values: Any) -> bool:
    """Whether it is a row of numbers; one without any is none that was logged."""
    return (
        isinstance(values, np.ndarray)
        and values.dtype.kind in 'biuf'
        and values.ndim == 1
        and values.size > 0
    )
