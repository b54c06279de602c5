"""float16: half the size, and on a GPU about twice the speed."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..extras import needs
from ..openvino_file import to_openvino
from .network import cut, reads
from .openvino_parts import join_openvino

# What computes in float16 without harm; others stay as they are. A sum of squares would
# leave the range of float16.
_OPERATORS = {
    'Add',
    'AveragePool',
    'Clip',
    'Concat',
    'Conv',
    'ConvTranspose',
    'DepthToSpace',
    'GlobalAveragePool',
    'HardSigmoid',
    'HardSwish',
    'LeakyRelu',
    'MaxPool',
    'Mul',
    'PRelu',
    'Relu',
    'Resize',
    'Sigmoid',
    'Slice',
    'Split',
}
_LARGEST = 65504.0
# Whose first input alone may be float16.
_FIRST = {'Resize'}
_HALF = '.half'


def onnx_to_fp16(model: Any) -> Any:
    """Let the network of a model compute in float16.

    Inputs and outputs stay float32, and so do the preparation of images, decoding and
    suppression: what the converters that come with onnxruntime cannot do, which also
    fail on a loop.

    Args:
        model: An ``onnx.ModelProto``; it is left as it is.

    Raises:
        ExportError: If a package is missing.
    """
    needs('onnx', extra='onnx')
    from onnx import ModelProto

    parts = cut(model)
    inner = set(parts.inner)
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = [*parts.network.graph.node, *parts.rest.graph.node]
    conversion = _Conversion(copy.graph.initializer, _floats(model))
    for node in nodes:
        conversion.add(node, half=node.name in inner and _bears_half(node))
    del copy.graph.node[:], copy.graph.value_info[:]
    copy.graph.node.extend(conversion.nodes(x.name for x in copy.graph.output))
    read = {x for node in copy.graph.node for x in reads(node)}
    kept = [x for x in conversion.constants.values() if x.name in read]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(kept)
    return copy


def openvino_to_fp16(model: Any) -> Any:
    """Translate a model to ``openvino.Model``, the network's weights as float16.

    On a CPU OpenVINO computes with them in float32; on a GPU in float16. What decodes
    the boxes stays float32.

    Args:
        model: An ``onnx.ModelProto``.

    Raises:
        ExportError: If a package is missing, or OpenVINO does not take the model.
    """
    needs('onnx', 'openvino', extra='openvino')
    import openvino

    parts = cut(model)
    network = to_openvino(parts.network)
    core = openvino.Core()
    # It would read weights when it needs them, from a file that is gone by then.
    core.set_property({'ENABLE_MMAP': False})
    with TemporaryDirectory() as folder:
        path = Path(folder, 'network.xml')
        openvino.save_model(network, path, compress_to_fp16=True)
        network = core.read_model(path)
    return join_openvino(network, to_openvino(parts.rest))


def _bears_half(node: Any) -> bool:
    is_square = node.op_type == 'Mul' and node.input[0] == node.input[1]
    return node.op_type in _OPERATORS and not is_square


def _floats(model: Any) -> set[str]:
    """Return the names of what is float32."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    kind = onnx.TensorProto.FLOAT
    return {x.name for x in values if x.type.tensor_type.elem_type == kind} | {
        x.name for x in graph.initializer if x.data_type == kind
    }


class _Conversion:
    """Writes the nodes of a graph anew, some of them in float16.

    Args:
        constants: The initializers of the graph.
        floats: Names of what is float32.

    Attributes:
        constants: Those of the new graph by name, the old ones among them.
    """

    def __init__(self, constants: Iterable[Any], floats: set[str]) -> None:
        self.constants = {x.name: x for x in constants}
        self._floats = floats
        self._nodes: list[Any] = []
        # What there is in float16, and what that was in float32.
        self._made: set[str] = set()

    def add(self, node: Any, *, half: bool) -> None:
        """Add a node of the old graph, in float16 or as it is."""
        if not half or node.output[0] not in self._floats:
            self._nodes.append(node)
            return
        for place, name in enumerate(node.input):
            if name in self._floats and not (place and node.op_type in _FIRST):
                node.input[place] = self._in_half(name)
        outputs = [name for name in node.output if name]
        for place, name in enumerate(node.output):
            node.output[place] = name and name + _HALF
        self._nodes.append(node)
        for name in outputs:
            self._made.add(name)
            self._cast(name + _HALF, name, to='FLOAT')

    def nodes(self, outputs: Iterable[str]) -> list[Any]:
        """Return the new nodes, but casts that nothing reads."""
        read = {name for node in self._nodes for name in reads(node)} | set(outputs)
        return [x for x in self._nodes if x.op_type != 'Cast' or x.output[0] in read]

    def _in_half(self, name: str) -> str:
        if name + _HALF not in self.constants and name not in self._made:
            if name in self.constants:
                self.constants[name + _HALF] = _rounded(self.constants[name])
            else:
                self._made.add(name)
                self._cast(name, name + _HALF, to='FLOAT16')
        return name + _HALF

    def _cast(self, source: str, target: str, *, to: str) -> None:
        from onnx import TensorProto, helper

        kind = getattr(TensorProto, to)
        name = f'{target}.cast'
        self._nodes.append(
            helper.make_node('Cast', [source], [target], name=name, to=kind)
        )


def _rounded(constant: Any) -> Any:
    """Return a constant in float16; what is beyond its range becomes its largest."""
    import numpy as np
    from onnx import numpy_helper

    values = numpy_helper.to_array(constant).clip(-_LARGEST, _LARGEST)
    return numpy_helper.from_array(values.astype(np.float16), constant.name + _HALF)
