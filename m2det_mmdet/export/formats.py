"""The formats of exported files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import onnx_file, openvino_file, pt2_file
from .graph import RAW, DetectionGraph
from .metadata import Metadata
from .plan import Plan
from .precision.calibration import Quantized
from .precision.half import onnx_to_fp16, openvino_to_fp16
from .precision.int8_onnx import onnx_to_int8, run_onnx
from .precision.int8_openvino import openvino_to_int8, run_openvino
from .programs import trace
from .runtimes.exported import Run


class Models(NamedTuple):
    """A detector in a format.

    Attributes:
        whole: With the boxes of all anchors, by which the suppression is checked.
        final: What is kept.
    """

    whole: Any
    final: Any


class Precisions(NamedTuple):
    """How the precision of a format is changed.

    Attributes:
        to_fp16: Takes a model of ONNX, returns one of the format.
        to_int8: Takes and returns what :func:`.onnx_to_int8` does.
        run: Returns what runs a model of the format.
    """

    to_fp16: Callable[[Any], Any]
    to_int8: Callable[..., Quantized]
    run: Callable[[Any], Run]


class Format(NamedTuple):
    """A format.

    Attributes:
        suffixes: Of its files, of which the first names the others.
        translate: Makes a model of a graph that gives the boxes of all anchors, too,
            and its plan. Options: ``opset`` of ONNX, and ``change``, which takes a
            model of ONNX and returns one of the format in another precision.
        write: Writes a model, for oneself alone: others may see it half-written.
        precisions: Its other precisions; ``None``: it has none.
    """

    suffixes: tuple[str, ...]
    translate: Callable[..., Models]
    write: Callable[[Any, Path, Metadata], None]
    precisions: Precisions | None = None


def _onnx(
    graph: DetectionGraph,
    plan: Plan,
    *,
    opset: int = onnx_file.OPSET,
    change: Callable[[Any], Any] | None = None,
) -> Models:
    model = onnx_file.to_onnx(trace(graph, plan), graph.names, opset=opset)
    model = model if change is None else change(model)
    return Models(model, onnx_file.without_outputs(model, _unkept(graph)))


def _openvino(
    graph: DetectionGraph,
    plan: Plan,
    *,
    opset: int = onnx_file.OPSET,
    change: Callable[[Any], Any] | None = None,
) -> Models:
    model = onnx_file.to_onnx(trace(graph, plan), graph.names, opset=opset)
    model = (change or openvino_file.to_openvino)(model)
    return Models(model, openvino_file.without_outputs(model, _unkept(graph)))


def _pt2(graph: DetectionGraph, plan: Plan, **_: Any) -> Models:
    final = DetectionGraph(graph.model, graph.suppression, graph.prepare).eval()
    return Models(trace(graph, plan), trace(final, plan))


def _unkept(graph: DetectionGraph) -> tuple[str, ...]:
    """Return the outputs that a file with suppression does not have."""
    if graph.suppression is None:
        return ()
    return graph.names[graph.names.index(RAW[0]) :]


FORMATS = {
    'onnx': Format(
        (onnx_file.SUFFIX,),
        _onnx,
        onnx_file.write_onnx,
        Precisions(onnx_to_fp16, onnx_to_int8, run_onnx),
    ),
    'openvino': Format(
        (openvino_file.SUFFIX, openvino_file.WEIGHTS),
        _openvino,
        openvino_file.write_openvino,
        Precisions(openvino_to_fp16, openvino_to_int8, run_openvino),
    ),
    'pt2': Format((pt2_file.SUFFIX,), _pt2, pt2_file.write_pt2),
}
