"""Opens exported files of all formats."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ...utils.exported import EXPORTED, is_exported
from ..errors import ExportError
from ..extras import needs
from ..metadata import Metadata
from ..openvino_file import WEIGHTS
from .exported import ExportedFile, metadata_in

_PROVIDERS = {
    'cpu': 'CPUExecutionProvider',
    'cuda': 'CUDAExecutionProvider',
    'tensorrt': 'TensorrtExecutionProvider',
}


def open_exported(
    path: str | Path,
    *,
    device: str | None = None,
    threads: int | None = None,
    provider: str | None = None,
) -> ExportedFile:
    """Open an exported file by what its name ends in.

    Args:
        path: The file: ``.onnx``, ``.xml`` of OpenVINO, or ``.pt2``.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; by default a GPU where what
            runs the file has one, else the CPU.
        threads: Threads of a CPU; as many as it has cores by default.
        provider: What of the runtime computes, where it has several: of onnxruntime
            ``cpu``, ``cuda`` or ``tensorrt``, of OpenVINO one of its devices. That of
            ``device`` by default.

    Raises:
        ExportError: One sentence on a file that is missing, damaged or none of ours, or
            on a device or provider that cannot be used.
    """
    path = _existing(path)
    return _OPENERS[path.suffix.lower()](path, device, threads, provider)


def read_metadata(path: str | Path) -> Metadata:
    """Read what an exported file tells about itself; nothing of it is run.

    Raises:
        ExportError: If it is missing, damaged or none of ours.
    """
    path = _existing(path)
    suffix = path.suffix.lower()
    if suffix == '.onnx':
        from .onnx import onnx_metadata

        return onnx_metadata(path)
    if suffix == '.xml':
        from .openvino import openvino_metadata

        return openvino_metadata(path)
    from .pt2_archive import metadata_text

    return metadata_in(metadata_text(path), path)


def files_of(path: str | Path) -> list[Path]:
    """Return the files that belong to an exported file, itself first."""
    path = Path(os.path.expanduser(path))
    if path.suffix.lower() != '.xml':
        return [path]
    return [path, path.with_suffix(WEIGHTS)]


def _existing(path: str | Path) -> Path:
    """Return the path of an exported file that is there.

    Raises:
        ExportError: If it is none, or not there.
    """
    if '://' in str(path):
        raise ExportError(
            f'{path} is an address, and an exported detector is read from this disk: '
            'download it.'
        )
    place = Path(os.path.expanduser(path))
    if not is_exported(place):
        raise ExportError(
            f'{path} is no exported detector: its name ends in {", ".join(EXPORTED)}.'
        )
    if not place.is_file():
        raise ExportError(f'There is no file {path}: check the path.')
    return place


def _open_onnx(
    path: Path, device: str | None, threads: int | None, provider: str | None
) -> ExportedFile:
    needs('onnxruntime', extra='onnx')
    import onnxruntime

    from .onnx import OnnxFile

    there = onnxruntime.get_available_providers()
    has_gpu = _PROVIDERS['cuda'] in there and torch.cuda.is_available()
    kind, _, index = (device or ('cuda' if has_gpu else 'cpu')).partition(':')
    name = kind if provider is None else provider
    if _PROVIDERS.get(name) not in there:
        known = [key for key, value in _PROVIDERS.items() if value in there]
        raise ExportError(
            f'This onnxruntime has no provider {name}: choose one of '
            f'{", ".join(known)}, or install onnxruntime-gpu for cuda and tensorrt.'
        )
    first: Any = _PROVIDERS[name]
    if index and name != 'cpu':
        first = (first, {'device_id': index})
    providers = [first] if name == 'cpu' else [first, _PROVIDERS['cpu']]
    return OnnxFile(path, threads=threads, providers=providers)


def _open_openvino(
    path: Path, device: str | None, threads: int | None, provider: str | None
) -> ExportedFile:
    from .openvino import OpenVinoFile

    kind = 'cpu' if device is None else device
    name = kind if provider is None else provider
    return OpenVinoFile(path, threads=threads, provider=name)


def _open_pt2(
    path: Path, device: str | None, threads: int | None, provider: str | None
) -> ExportedFile:
    from .pt2 import Pt2File

    if provider is not None:
        raise ExportError(
            f'{path} is run by PyTorch, which has no providers: give the device.'
        )
    best = 'cuda' if torch.cuda.is_available() else 'cpu'
    return Pt2File(path, threads=threads, device=device or best)


_OPENERS: dict[str, Callable[..., ExportedFile]] = {
    '.onnx': _open_onnx,
    '.xml': _open_openvino,
    '.pt2': _open_pt2,
}
