from typing import Any

import numpy as np
import pytest

from m2det_mmdet.export.precision.int8_onnx import run_onnx
from m2det_mmdet.export.precision.network import cut, join, reads


def test_the_network_ends_at_the_last_convolutions(model: Any) -> None:
    network, rest, inner = cut(model)

    kinds = [x.op_type for x in network.graph.node]
    assert kinds.count('Conv') == 4
    assert 'Loop' not in kinds
    assert kinds[-1] == 'Conv'
    rest_kinds = [x.op_type for x in rest.graph.node]
    assert 'Conv' not in rest_kinds
    assert 'Loop' in rest_kinds
    assert len(kinds) + len(rest_kinds) == len(model.graph.node)
    assert [x.name for x in rest.graph.output] == [x.name for x in model.graph.output]
    # Nothing comes before its first layer, and nothing between counts sizes.
    assert inner == tuple(x.name for x in network.graph.node)


def test_parts_together_are_the_model(model: Any, images: list[np.ndarray]) -> None:
    before = model.SerializeToString()
    parts = cut(model)
    batch = np.concatenate(images)

    found = run_onnx(join(parts.network, parts.rest))(batch)

    assert model.SerializeToString() == before
    expected = run_onnx(model)(batch)
    assert [*found] == [*expected]
    assert all(np.array_equal(found[x], expected[x]) for x in expected)
    # Some boxes were suppressed, and some found.
    assert (found['labels'] >= 0).sum() == 8 * 6


def test_what_prepares_images_belongs_to_the_network_but_not_to_its_inner_nodes() -> (
    None
):
    onnx = pytest.importorskip('onnx')
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        graph (float[N, 3, 8, 8] images) => (float[N, 2, 6, 6] out)
        <float[2, 3, 3, 3] weight> {
            half = Constant <value = float {0.5}> ()
            scaled = Mul (images, half)
            map = Conv (scaled, weight)
            again = Relu (map)
            shape = Shape (map)
            filled = Expand (half, shape)
            out = Add (again, filled)
        }
    """)

    network, rest, inner = cut(model)

    assert [x.op_type for x in network.graph.node] == ['Constant', 'Mul', 'Conv']
    assert inner == (network.graph.node[2].name,)
    assert [x.name for x in network.graph.output] == ['half', 'map']
    assert [x.name for x in rest.graph.input] == ['half', 'map']


def test_what_a_loop_reads_from_outside_is_seen(model: Any) -> None:
    (loop,) = [x for x in model.graph.node if x.op_type == 'Loop']
    made = {name for node in model.graph.node for name in node.output}

    outside = set(reads(loop)) & made

    assert set(loop.input) & made < outside
    (body,) = [x.g for x in loop.attribute if x.name == 'body']
    assert outside.isdisjoint(x.name for x in body.input)
