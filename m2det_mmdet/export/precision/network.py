"""The network within a model of ONNX, apart from decoding and suppression.

What its convolutions need is the network; what follows them (decoding, suppression) is
the rest. Precision is a matter of the network alone: boxes are numbers of pixels, which
float16 holds to 2,048 and int8 not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

LAYERS = ('Conv', 'ConvTranspose', 'DeformConv')


class Parts(NamedTuple):
    """A model of ONNX in two.

    Attributes:
        network: From the images to the maps, and whatever else the rest reads.
        rest: From these, and the images where it needs them, to the model's outputs.
        inner: Names of the network's nodes from its first layer on. What prepares the
            images is not among them, nor what counts sizes.
    """

    network: Any
    rest: Any
    inner: tuple[str, ...]


def cut(model: Any) -> Parts:
    """Part a model behind its last convolutions; the model is left as it is.

    Args:
        model: An ``onnx.ModelProto``.
    """
    import onnx

    nodes = _named(model.graph.node)
    first = _network(nodes)
    last = [x for x in nodes if x.name not in {y.name for y in first}]
    made = {name for node in first for name in node.output}
    needed = {name for node in last for name in reads(node)}
    needed |= {x.name for x in model.graph.output}
    infos = onnx.shape_inference.infer_shapes(model).graph
    values = {x.name: x for x in (*infos.value_info, *infos.output)}
    between = [values[name] for name in sorted(made & needed)]
    inputs = list(model.graph.input)
    return Parts(
        _part(model, first, inputs, between),
        _part(
            model,
            last,
            [*between, *(x for x in inputs if x.name in needed)],
            list(model.graph.output),
        ),
        inner_nodes(first),
    )


def join(network: Any, rest: Any) -> Any:
    """Put two parts together again, the network perhaps in another precision."""
    from onnx import helper

    constants = {x.name: x for part in (rest, network) for x in part.graph.initializer}
    versions: dict[str, int] = {}
    for opset in (*network.opset_import, *rest.opset_import):
        versions[opset.domain] = max(versions.get(opset.domain, 0), opset.version)
    graph = helper.make_graph(
        [*network.graph.node, *rest.graph.node],
        rest.graph.name,
        network.graph.input,
        rest.graph.output,
        [*constants.values()],
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*x) for x in versions.items()],
        ir_version=max(network.ir_version, rest.ir_version),
    )


def inner_nodes(nodes: Iterable[Any]) -> tuple[str, ...]:
    """Return the names of a network's nodes from its first layer on.

    Args:
        nodes: Those of a network, in their order.
    """
    found, values = [], set()
    for node in nodes:
        follows = node.op_type != 'Shape' and not values.isdisjoint(node.input)
        if node.op_type in LAYERS or follows:
            found.append(node.name)
            values.update(node.output)
    return tuple(found)


def reads(node: Any) -> Iterator[str]:
    """Yield the names of what a node reads, in its loops and branches too."""
    yield from node.input
    for graph in (x for item in node.attribute for x in _graphs(item)):
        own = {x.name for x in (*graph.input, *graph.initializer)}
        own.update(name for inner in graph.node for name in inner.output)
        names = [name for inner in graph.node for name in reads(inner)]
        names += [x.name for x in graph.output]
        yield from (name for name in names if name not in own)


def _graphs(attribute: Any) -> Sequence[Any]:
    return [attribute.g] if attribute.HasField('g') else attribute.graphs


def _named(nodes: Iterable[Any]) -> list[Any]:
    """Copy nodes, and name those that have no name."""
    from onnx import NodeProto

    copies = []
    for number, node in enumerate(nodes):
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.name = node.name or f'node_{number}'
        copies.append(copy)
    return copies


def _network(nodes: Sequence[Any]) -> list[Any]:
    """Return the layers and all that they need, in their order."""
    found, needed = [], set()
    for node in reversed(nodes):
        if node.op_type in LAYERS or not needed.isdisjoint(node.output):
            found.append(node)
            needed.update(reads(node))
    return found[::-1]


def _part(
    model: Any, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any]
) -> Any:
    from onnx import helper

    needed = {name for node in nodes for name in reads(node)}
    needed |= {x.name for x in outputs}
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        inputs,
        outputs,
        [x for x in model.graph.initializer if x.name in needed],
    )
    return helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
