from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from m2det_mmdet.export.precision.half import onnx_to_fp16, openvino_to_fp16
from m2det_mmdet.export.precision.int8_onnx import run_onnx
from m2det_mmdet.export.precision.int8_openvino import run_openvino


def _differences(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray]
) -> dict[str, float]:
    return {x: float(abs(found[x] - expected[x]).max()) for x in expected}


@pytest.mark.slow
def test_the_network_computes_in_float16(model: Any) -> None:
    found = onnx_to_fp16(model)

    half = {x.name for x in found.graph.initializer if x.data_type == 10}
    layers = [x for x in found.graph.node if x.op_type == 'Conv']
    assert len(layers) == 4
    assert half.issuperset(name for x in layers for name in x.input[1:])
    kept = {x.name for x in found.graph.initializer} - half
    assert kept.isdisjoint(name for x in layers for name in x.input)
    assert found.ByteSize() < 0.9 * model.ByteSize()


def test_float16_gives_the_same_boxes_where_pixels_need_float32(
    model: Any, images: list[np.ndarray]
) -> None:
    before = model.SerializeToString()
    batch = np.concatenate(images)
    expected = run_onnx(model)(batch)

    found = run_onnx(onnx_to_fp16(model))(batch)

    assert model.SerializeToString() == before
    # At 3,000 pixels float16 knows no step below 2.
    assert expected['all_boxes'].min() > 2048
    differences = _differences(found, expected)
    assert 0 < differences['all_boxes'] < 0.02
    assert 0 < differences['all_scores'] < 5e-4
    assert {x.dtype for x in found.values()} == {x.dtype for x in expected.values()}


def test_squares_beyond_the_range_of_float16_stay_float32(model: Any) -> None:
    found = onnx_to_fp16(model)

    power = next(x for x in found.graph.node if x.op_type == 'Pow')
    sums = next(x for x in found.graph.node if x.op_type == 'ReduceSum')
    assert not power.input[0].endswith('.half')
    assert power.output[0] == sums.input[0]


@pytest.mark.skipif(find_spec('openvino') is None, reason='needs openvino')
def test_openvino_stores_the_weights_of_the_network_alone_in_float16(
    model: Any, images: list[np.ndarray]
) -> None:
    batch = np.concatenate(images)
    expected = run_onnx(model)(batch)

    found = openvino_to_fp16(model)

    kinds = {
        x.get_friendly_name(): x.get_element_type().get_type_name()
        for x in found.get_ops()
        if x.get_type_name() == 'Constant' and x.get_output_size() == 1
    }
    halves = [name for name, kind in kinds.items() if kind == 'f16']
    assert any('stem.weight' in name for name in halves)
    assert 'f32' in kinds.values()
    differences = _differences(
        {x: y for x, y in run_openvino(found)(batch).items() if 'all_' in x},
        {x: y for x, y in expected.items() if 'all_' in x},
    )
    assert 0 < differences['all_boxes'] < 0.02
    assert 0 < differences['all_scores'] < 5e-4
