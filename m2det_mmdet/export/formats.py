"""The formats of exported files."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import onnx_file, openvino_file, pt2_file
from .graph import DetectionGraph
from .metadata import Metadata
from .plan import Plan
from .programs import trace

# Takes a graph, its plan, what the file tells, its path, and the opset of ONNX.
Writer = Callable[[DetectionGraph, Plan, Metadata, Path, int], None]


class Format(NamedTuple):
    """A format.

    Attributes:
        write: Writes a file, for oneself alone: others may see it half-written.
        suffixes: Of its files, of which the first names the others.
    """

    write: Writer
    suffixes: tuple[str, ...]


def _onnx(
    graph: DetectionGraph, plan: Plan, metadata: Metadata, path: Path, opset: int
) -> None:
    model = onnx_file.to_onnx(trace(graph, plan), graph.names, opset=opset)
    onnx_file.write_onnx(model, path, metadata)


def _openvino(
    graph: DetectionGraph, plan: Plan, metadata: Metadata, path: Path, opset: int
) -> None:
    model = onnx_file.to_onnx(trace(graph, plan), graph.names, opset=opset)
    openvino_file.write_openvino(openvino_file.to_openvino(model), path, metadata)


def _pt2(
    graph: DetectionGraph, plan: Plan, metadata: Metadata, path: Path, opset: int
) -> None:
    pt2_file.write_pt2(trace(graph, plan), path, metadata)


FORMATS = {
    'onnx': Format(_onnx, (onnx_file.SUFFIX,)),
    'openvino': Format(_openvino, (openvino_file.SUFFIX, openvino_file.WEIGHTS)),
    'pt2': Format(_pt2, (pt2_file.SUFFIX,)),
}
