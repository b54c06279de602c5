"""Files of OpenVINO: ``NAME.xml`` and ``NAME.bin``."""

from pathlib import Path
from typing import Any

from ..ops.failures import reason_of
from .errors import ExportError
from .extras import needs
from .metadata import KEY, Metadata

SUFFIX, WEIGHTS = '.xml', '.bin'


def to_openvino(model: Any) -> Any:
    """Translate a model of ONNX (``onnx.ModelProto``) to ``openvino.Model``.

    Raises:
        ExportError: If OpenVINO is missing, or does not take the model.
    """
    needs('openvino', extra='openvino')
    import openvino

    try:
        return openvino.Core().read_model(model.SerializeToString())
    except Exception as error:
        raise ExportError(
            f'OpenVINO does not take the detector ({reason_of(error)}): take --format '
            'onnx.'
        ) from error


def write_openvino(
    model: Any, path: Path, metadata: Metadata, *, half: bool = False
) -> None:
    """Write a model with what it tells about itself.

    Args:
        model: The model.
        path: The ``.xml``; the weights lie beside it.
        metadata: What it tells.
        half: Whether to store the weights as float16.

    """
    import openvino

    model.set_rt_info(metadata.to_json(), KEY)
    openvino.save_model(model, path, compress_to_fp16=half)
