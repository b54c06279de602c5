"""Files of OpenVINO: a graph (``.xml``), and its weights beside it (``.bin``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...ops.failures import reason_of
from ...utils.texts import one_line
from ..errors import ExportError
from ..extras import needs
from ..metadata import KEY, Metadata
from ..openvino_file import WEIGHTS, compile_openvino
from ..programs import INPUT
from .exported import check_images, metadata_in, on

# Bytes within which a graph begins.
_HEAD = 1024


class OpenVinoFile:
    """A file of OpenVINO in its own runtime.

    Args:
        path: The ``.xml``.
        threads: Threads of a CPU; as many as it has cores by default.
        provider: One of OpenVINO's devices: ``cpu``, ``gpu``, ...

    Raises:
        ExportError: If it is none of ours or cannot be read, its weights or OpenVINO
            are missing, or there is no such device.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, provider: str = 'cpu'
    ) -> None:
        self.path = path
        model = _read(path)
        self.metadata = _metadata_of(model, path)
        import openvino

        known = [name.lower() for name in openvino.Core().available_devices]
        if provider not in known:
            raise ExportError(
                f'OpenVINO has no device {provider} here: choose one of '
                f'{", ".join(known)}.'
            )
        options: dict[str, Any] = {}
        if threads is not None and provider == 'cpu':
            options['INFERENCE_NUM_THREADS'] = threads
        if self.metadata.precision != 'fp16':
            # Else it computes in bfloat16 where the processor can.
            options['INFERENCE_PRECISION_HINT'] = 'f32'
        try:
            self._compiled = compile_openvino(model, provider, options)
        except Exception as error:
            raise ExportError(
                f'{path} cannot be run by OpenVINO ({reason_of(error)}): export the '
                'detector again.'
            ) from error
        version = openvino.__version__.partition('-')[0]
        self.runtime = f'OpenVINO {version}, {on(provider, threads)}'

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph; see :class:`.ExportedFile`."""
        check_images(self, images)
        try:
            found = self._compiled({INPUT: images})
        except Exception as error:
            raise ExportError(
                f'{self.path} fails with images {images.shape} of {images.dtype} '
                f'({reason_of(error)}).'
            ) from error
        return {x.get_any_name(): found[x] for x in self._compiled.outputs}


def openvino_metadata(path: Path) -> Metadata:
    """Read what a file of OpenVINO tells about itself; nothing is run.

    Raises:
        ExportError: If it cannot be read, is none of ours, or its weights are missing.
    """
    return _metadata_of(_read(path), path)


def _read(path: Path) -> Any:
    needs('openvino', extra='openvino')
    import openvino

    weights = path.with_suffix(WEIGHTS)
    if not weights.is_file():
        raise ExportError(
            f'The weights of {path} are missing: put {weights.name} beside it.'
        )
    with path.open('rb') as file:
        # OpenVINO would try all other formats that it knows.
        is_graph = b'<net' in file.read(_HEAD)
    try:
        if not is_graph:
            raise ValueError('it is no graph')
        return openvino.Core().read_model(path, weights)
    except Exception as error:
        # The first line tells only where OpenVINO fails.
        reason = one_line(str(error).strip().rpartition('\n')[2])
        raise ExportError(
            f'{path} cannot be read ({reason}): it is damaged, or not of OpenVINO; '
            'export the detector again.'
        ) from error


def _metadata_of(model: Any, path: Path) -> Metadata:
    text = model.get_rt_info(KEY).astype(str) if model.has_rt_info(KEY) else None
    return metadata_in(text, path)
