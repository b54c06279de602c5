"""Files of safetensors: tensors by name and a few texts, and nothing that runs.

The texts hold what MMEngine keeps beside the weights in its checkpoints: the names and
colours of the classes and the versions of the modules, as JSON, and the config's text.
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
from ..utils.texts import one_line
from .contents import module_versions
from .errors import Refusal

MapLocation = str | torch.device | dict | Callable | None

SUFFIX = '.safetensors'
# The length of the header, then the header, which is JSON.
_LENGTH = 8
# The library refuses larger ones.
_LONGEST_HEADER = 100_000_000
_META, _CONFIG, _VERSIONS = 'dataset_meta', 'config', 'module_versions'


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
        ``state_dict``; and ``meta`` with ``dataset_meta`` and ``cfg``, where the file
        names the classes and has a config.

    Raises:
        SafetensorError: If the file is damaged or of another kind.
        Refusal: If its classes or versions are no JSON.
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
    if _VERSIONS in texts:
        weights._metadata = _from_json(texts, _VERSIONS)
    meta = {_META: _from_json(texts, _META)} if _META in texts else {}
    if _CONFIG in texts:
        meta['cfg'] = texts[_CONFIG]
    return {'state_dict': weights, 'meta': meta} if meta else {'state_dict': weights}


def write_safetensors(
    path: Path,
    weights: Mapping[str, Tensor],
    dataset_meta: Mapping[str, Any] | None = None,
    *,
    config: str | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights, and what MMEngine keeps beside them, whole or not at all.

    Args:
        path: Where to write.
        weights: Tensors by name; each is written as one of its own. The versions of
            the modules that a state dict of PyTorch has are written, too.
        dataset_meta: Names and colours of the classes.
        config: The text of the config.
        dtype: For floating point numbers; a tensor with numbers that it cannot hold
            is left as it is.

    Raises:
        M2DetError: If the file cannot be written.
    """
    texts = {'format': 'pt'}
    if dataset_meta:
        texts[_META] = json.dumps(dataset_meta, ensure_ascii=False)
    if config is not None:
        texts[_CONFIG] = config
    if versions := module_versions(getattr(weights, '_metadata', None)):
        texts[_VERSIONS] = json.dumps(versions)
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


def _from_json(texts: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(texts[key])
    except (ValueError, RecursionError) as error:
        raise Refusal(f'its {key} is no JSON ({one_line(error)})') from error
