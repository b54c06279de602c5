"""Files of OpenVINO: ``NAME.xml`` and ``NAME.bin``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..ops.failures import reason_of
from .errors import ExportError
from .extras import needs
from .metadata import KEY, Metadata
from .signal_stack import kept_signal_stack

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


def compile_openvino(
    model: Any, provider: str = 'cpu', options: Mapping[str, Any] | None = None
) -> Any:
    """Compile a model (``openvino.Model``).

    Args:
        model: The model.
        provider: One of OpenVINO's devices, in lower case.
        options: OpenVINO's; by default it computes in float32, which it does not where
            a processor has bfloat16.
    """
    import openvino

    settings = {'INFERENCE_PRECISION_HINT': 'f32'} if options is None else options
    with kept_signal_stack():
        return openvino.Core().compile_model(model, provider.upper(), {**settings})


def without_outputs(model: Any, names: Sequence[str]) -> Any:
    """Return a copy of a model that does not give some of its outputs."""
    copy = model.clone()
    for result in copy.get_results():
        if result.input_value(0).get_names() & {*names}:
            copy.remove_result(result)
    return copy


def write_openvino(model: Any, path: Path, metadata: Metadata) -> None:
    """Write a model (``openvino.Model``) with what it tells about itself.

    Args:
        model: The model, in the precision that it is to have.
        path: The ``.xml``; the weights lie beside it.
        metadata: What it tells.
    """
    import openvino

    model.set_rt_info(metadata.to_json(), KEY)
    openvino.save_model(model, path, compress_to_fp16=False)
