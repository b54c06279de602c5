"""The formats of exported files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import onnx_file, openvino_file, pt2_file
from .errors import ExportError
from .graph import RAW, DetectionGraph
from .metadata import Metadata
from .plan import Plan
from .precision.half import onnx_to_fp16, openvino_to_fp16
from .precision.int8_onnx import onnx_to_int8
from .precision.int8_openvino import openvino_to_int8
from .programs import trace


class Models(NamedTuple):
    """A detector in a format.

    Attributes:
        whole: With the boxes of all anchors, by which the suppression is checked.
        final: What is kept.
    """

    whole: Any
    final: Any


class Format(NamedTuple):
    """A format.

    Attributes:
        suffixes: Of its files, of which the first names the others.
        translate: Makes a model of a graph that gives the boxes of all anchors, too;
            further arguments are its plan, the opset of ONNX, and what changes the
            precision: it takes a model of ONNX and returns one of the format.
        write: Writes a model, for oneself alone: others may see it half-written.
        to_fp16: Changes the precision.
        to_int8: Changes the precision; takes and returns what
            :func:`.onnx_to_int8` does.
    """

    suffixes: tuple[str, ...]
    translate: Callable[[DetectionGraph, Plan, int, Callable | None], Models]
    write: Callable[[Any, Path, Metadata], None]
    to_fp16: Callable | None = None
    to_int8: Callable | None = None


def _onnx(
    graph: DetectionGraph, plan: Plan, opset: int, change: Callable | None
) -> Models:
    model = onnx_file.to_onnx(trace(graph, plan), graph.names, opset=opset)
    model = model if change is None else change(model)
    return Models(model, onnx_file.without_outputs(model, _unkept(graph)))


def _openvino(
    graph: DetectionGraph, plan: Plan, opset: int, change: Callable | None
) -> Models:
    model = onnx_file.to_onnx(trace(graph, plan), graph.names, opset=opset)
    model = (change or openvino_file.to_openvino)(model)
    return Models(model, openvino_file.without_outputs(model, _unkept(graph)))


def _pt2(
    graph: DetectionGraph, plan: Plan, opset: int, change: Callable | None
) -> Models:
    if change is not None:
        raise ExportError(
            'The pt2 format is of precision fp32: take --format onnx or openvino.'
        )
    final = DetectionGraph(graph.model, graph.suppression, graph.prepare).eval()
    return Models(trace(graph, plan), trace(final, plan))


def _unkept(graph: DetectionGraph) -> tuple[str, ...]:
    """Return the outputs that a file with suppression does not have."""
    if graph.suppression is None:
        return ()
    return graph.names[graph.names.index(RAW[0]) :]


FORMATS = {
    'onnx': Format(
        (onnx_file.SUFFIX,), _onnx, onnx_file.write_onnx, onnx_to_fp16, onnx_to_int8
    ),
    'openvino': Format(
        (openvino_file.SUFFIX, openvino_file.WEIGHTS),
        _openvino,
        openvino_file.write_openvino,
        openvino_to_fp16,
        openvino_to_int8,
    ),
    'pt2': Format((pt2_file.SUFFIX,), _pt2, pt2_file.write_pt2),
}
