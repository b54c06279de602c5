"""Files of safetensors: tensors by name and a few texts, and nothing that runs.

The texts hold what MMEngine keeps in ``meta`` of its checkpoints, as JSON.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ..utils.files import write_whole
from .errors import Refusal

MapLocation = str | torch.device | dict | Callable | None

SUFFIX = '.safetensors'
# The length of the header, then the header, which is JSON.
_LENGTH = 8
# The library refuses larger ones.
_LONGEST_HEADER = 100_000_000
_META = 'dataset_meta'


def is_safetensors(file: str | BinaryIO) -> bool:
    """Whether a file is one of safetensors, by its first bytes or by its name.

    Args:
        file: Path of the file, or the open file, which stands at its begin afterwards.
    """
    with nullcontext(file) if not isinstance(file, str) else open(file, 'rb') as opened:
        opened.seek(0)
        head = opened.read(_LENGTH + 1)
        opened.seek(0)
    length = int.from_bytes(head[:_LENGTH], 'little')
    looks_like = head[_LENGTH:] == b'{' and length <= _LONGEST_HEADER
    return looks_like or (isinstance(file, str) and file.endswith(SUFFIX))


def read_safetensors(
    file: str | BinaryIO, map_location: MapLocation = None
) -> dict[str, Any]:
    """Read a file as a checkpoint of MMEngine.

    Args:
        file: Path of the file, or the open file.
        map_location: A device, or a mapping of devices; a function is not asked.

    Returns:
        ``state_dict``; and ``meta`` with ``dataset_meta``, where the file names the
        classes.

    Raises:
        SafetensorError: If the file is damaged or of another kind.
        Refusal: If its classes are no JSON.
    """
    if not isinstance(file, str):
        with TemporaryDirectory() as folder:
            copy = Path(folder, 'copy')
            copy.write_bytes(file.read())
            return read_safetensors(str(copy), map_location)
    if isinstance(map_location, Mapping):
        map_location = map_location.get('cpu')
    device = 'cpu' if map_location is None or callable(map_location) else map_location
    with safe_open(file, framework='pt') as opened:
        # It cannot be iterated over.
        names = list(opened.keys())
        weights = OrderedDict(
            (name, opened.get_tensor(name).to(device)) for name in names
        )
        texts = opened.metadata() or {}
    checkpoint: dict[str, Any] = {'state_dict': weights}
    if _META in texts:
        checkpoint['meta'] = {_META: _from_json(texts[_META])}
    return checkpoint


def write_safetensors(
    path: Path,
    weights: Mapping[str, Tensor],
    dataset_meta: Mapping[str, Any] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights, and what MMEngine keeps of their data set, whole or not at all.

    Args:
        path: Where to write.
        weights: Tensors by name; each is written as one of its own.
        dataset_meta: Names and colours of the classes.
        dtype: For floating point numbers; a tensor with numbers that it cannot hold
            is left as it is.

    Raises:
        M2DetError: If the file cannot be written.
    """
    texts = {'format': 'pt'}
    if dataset_meta:
        texts[_META] = json.dumps(dataset_meta, ensure_ascii=False)
    tensors = {name: _stored(value, dtype) for name, value in weights.items()}
    content = save(tensors, texts)
    write_whole(path, lambda file: file.write(content))


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Return a copy on the CPU, in one piece."""
    tensor = tensor.detach().cpu()
    if dtype is not None and tensor.is_floating_point():
        smaller = tensor.to(dtype)
        if torch.equal(smaller.isfinite(), tensor.isfinite()):
            tensor = smaller
    return tensor.clone(memory_format=torch.contiguous_format)


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(f'its {_META} is no JSON ({error})') from error
