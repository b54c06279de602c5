"""Files of ONNX."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from ..ops.failures import reason_of
from .errors import ExportError
from .extras import needs
from .metadata import KEY, Metadata
from .programs import INPUT, quiet_exporter

SUFFIX = '.onnx'
# What PyTorch says of an operator that it cannot translate.
_UNKNOWN = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
OPSET = 20
# Lower ones lack what the loop of the suppression is made of.
_OPSETS = (18, 23)


def to_onnx(
    program: ExportedProgram,
    names: Sequence[str],
    *,
    inputs: Sequence[str] = (INPUT,),
    opset: int = OPSET,
) -> Any:
    """Translate a program to a model of ONNX, and simplify it.

    Args:
        program: The program.
        names: Names of its outputs.
        inputs: Names of its inputs.
        opset: Version of ONNX's operators.

    Returns:
        An ``onnx.ModelProto``.

    Raises:
        ExportError: If ``opset`` is not one of those that can hold the graph, a package
            is missing, or an operator has no translation.
    """
    needs('onnx', 'onnxscript', 'onnxslim', extra='onnx')
    if type(opset) is not int or not _OPSETS[0] <= opset <= _OPSETS[1]:
        raise ExportError(
            f'opset must be from {_OPSETS[0]} to {_OPSETS[1]}, got {opset!r}.'
        )
    try:
        with quiet_exporter(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            exported = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                input_names=[*inputs],
                output_names=[*names],
                verbose=False,
            )
            return _slim(exported.model_proto)
    except Exception as error:
        raise ExportError(
            f'The detector cannot be translated to ONNX ({_reason(program, error)}): '
            'take format pt2, or another opset.'
        ) from error


def _reason(program: ExportedProgram, error: Exception) -> str:
    """Say why a translation failed; name an operator with the module that calls it."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    for cause in causes:
        if found := _UNKNOWN.search(str(cause)):
            return f'it has no operator for {found[1]}{_module_of(program, found[1])}'
    return reason_of(causes[-1])


def _module_of(program: ExportedProgram, operator: str) -> str:
    for node in program.graph.nodes:
        if str(node.target).startswith(f'{operator}.'):
            path, kind = [*node.meta['nn_module_stack'].values()][-1]
            return f', which {path.removeprefix("model.")} ({kind}) calls'
    return ''


def _slim(model: Any) -> Any:
    """Fold constants and take out what does nothing."""
    import onnxslim

    return onnxslim.slim(model)


def without_outputs(model: Any, names: Sequence[str]) -> Any:
    """Return a copy of a model that does not give some of its outputs."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept = [x for x in model.graph.output if x.name not in names]
    del copy.graph.output[:]
    copy.graph.output.extend(kept)
    return copy


def write_onnx(model: Any, path: Path, metadata: Metadata) -> None:
    """Write a model (``onnx.ModelProto``) with what it tells about itself.

    Raises:
        ExportError: If it is too large for one file.
    """
    import onnx

    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: metadata.to_json()})
    try:
        content = model.SerializeToString()
    except ValueError as error:
        raise ExportError(
            'The detector is larger than the 2 GiB that one file of ONNX may have: '
            'take --format openvino or pt2.'
        ) from error
    path.write_bytes(content)
