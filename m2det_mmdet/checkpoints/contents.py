"""What is checked of all values in a checkpoint, wherever they stand."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from .errors import Refusal
from .safe_types import Array, DType, to_numpy

# MMEngine's checkpoints are seven deep; Python's own functions stop at a thousand.
_DEPTH = 100
# A tensor that repeats its values, as an index that was expanded, may be larger
# than what is stored of it.
_REPEATED = 2**28


def clean(content: Any, size: int) -> Any:
    """Check all tensors, arrays and containers, in place where they have to change.

    Args:
        content: What was read of a file.
        size: Bytes of the file.

    Returns:
        ``content``, with NumPy's arrays in the place of stand-ins, and without the
        attributes that a file may give to containers and tensors.

    Raises:
        Refusal: If there is a tensor without values or with a layout that no detector
            has, a history that is none, or more bytes or levels than can be.
    """
    root = [content]
    waiting: list[tuple[Any, int]] = [(root, 0)]
    # Values that stand in several places are looked at once.
    seen: set[int] = set()
    stored: dict[int, int] = {}
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if depth > _DEPTH:
            raise Refusal(f'its parts lie more than {_DEPTH} levels deep')
        if isinstance(value, Tensor):
            _check_tensor(value)
            storage = value.untyped_storage()
            stored[storage.data_ptr()] = storage.nbytes()
        elif isinstance(value, np.ndarray):
            stored[id(value)] = value.nbytes
        elif isinstance(value, HistoryBuffer):
            _check_history(value)
        else:
            waiting.extend((inner, depth + 1) for inner in _open(value))
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
            if isinstance(inner, Array | DType):
                dict.__setitem__(value, key, to_numpy(inner))
        yield from dict.values(value)
    elif isinstance(value, list):
        value[:] = map(to_numpy, value)
        yield from value
    elif isinstance(value, tuple | set | frozenset):
        yield from value


def _keep_versions(weights: OrderedDict) -> None:
    """Drop all attributes but PyTorch's: versions of the modules, by their names."""
    versions = weights.__dict__.pop('_metadata', None)
    weights.__dict__.clear()
    if isinstance(versions, Mapping) and all(
        isinstance(name, str) and isinstance(entry, Mapping)
        for name, entry in versions.items()
    ):
        weights._metadata = versions


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


def _check_history(history: HistoryBuffer) -> None:
    """Check a history of logged values, and drop all attributes but its own."""
    state = history.__dict__
    values, counts = (
        np.asarray(to_numpy(state.get(key)))
        for key in ('_log_history', '_count_history')
    )
    length = state.get('max_length')
    numbers = values.dtype.kind in 'biuf' and counts.dtype.kind in 'biuf'
    if not (numbers and values.ndim == 1 and values.shape == counts.shape):
        raise Refusal('it holds a history of logged values that are no numbers')
    if not isinstance(length, int) or length < 1:
        raise Refusal(f'it holds a history of {length!r} logged values')
    history.__dict__ = HistoryBuffer(values, counts, length).__dict__
