from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.precision.calibration import Run
from m2det_mmdet.export.precision.int8_onnx import onnx_to_int8, run_onnx
from m2det_mmdet.export.precision.network import cut


def _error(
    found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> float:
    return float(abs(found['all_boxes'] - expected['all_boxes']).max())


def _layers(model: Any) -> dict[str, Any]:
    return {x.name: x for x in model.graph.node if x.op_type == 'Conv'}


def _makers(model: Any) -> dict[str, Any]:
    return {name: node for node in model.graph.node for name in node.output}


def test_weights_and_maps_are_int8_and_the_rest_is_left_alone(
    model: Any, images: list[np.ndarray]
) -> None:
    from onnx.numpy_helper import to_array

    before = model.SerializeToString()

    found = onnx_to_int8(model, images)

    assert model.SerializeToString() == before
    assert found[1:] == ((), None, None)
    makers = _makers(found.model)
    constants = {x.name: x for x in found.model.graph.initializer}
    layers = _layers(found.model)
    assert len(layers) == 4
    for layer in layers.values():
        data, weights = (makers[name] for name in layer.input[:2])
        assert data.op_type == weights.op_type == 'DequantizeLinear'
        # A range for each channel.
        channels = constants[weights.input[0]].dims[0]
        assert list(constants[weights.input[1]].dims) == [channels]
        # 7 bits: sums of 16 bits do not overflow where a processor has no VNNI.
        assert abs(to_array(constants[weights.input[0]]).astype(int)).max() <= 64
    rest = {x.name: x.SerializeToString() for x in cut(model).rest.graph.node}
    same = {x.name: x.SerializeToString() for x in found.model.graph.node}
    assert rest.items() <= same.items()


def test_int8_finds_what_float32_does(model: Any, images: list[np.ndarray]) -> None:
    batch = np.concatenate(images)
    expected = run_onnx(model)(batch)

    found = run_onnx(onnx_to_int8(model, images).model)(batch)

    # Pixels between the first and the last corner.
    assert np.ptp(expected['all_boxes']) > 20
    assert 0 < _error(found, expected) < 0.5
    assert 0 < abs(found['all_scores'] - expected['all_scores']).max() < 0.01


def test_layers_stay_float32_where_the_score_drops(
    model: Any, images: list[np.ndarray]
) -> None:
    batch = np.concatenate(images)
    expected = run_onnx(model)(batch)
    all_int8 = _error(run_onnx(onnx_to_int8(model, images).model)(batch), expected)

    found = onnx_to_int8(
        model,
        images,
        score=lambda run: 1 - _error(run(batch), expected),
        max_drop=0.85 * all_int8,
    )

    stem = next(x for x in model.graph.node if 'stem.weight' in x.input)
    assert found.kept == (stem.name,)
    assert found.before == 1
    assert 0 < found.before - found.after <= 0.85 * all_int8
    makers = _makers(found.model)
    kept = {
        name: layer.input[1] not in makers
        for name, layer in _layers(found.model).items()
    }
    assert [name for name, is_float in kept.items() if is_float] == [stem.name]
    # What is added to its result is not rounded afterwards.
    add = next(x for x in found.model.graph.node if x.op_type == 'Add')
    readers = [x for x in found.model.graph.node if add.output[0] in x.input]
    assert [x.op_type for x in readers] == ['Mul']


def test_a_score_that_holds_keeps_no_layer(
    model: Any, images: list[np.ndarray]
) -> None:
    scores = iter([0.5, 0.49])

    found = onnx_to_int8(model, iter(images), score=lambda _: next(scores))

    assert found[1:] == ((), 0.5, 0.49)


@pytest.mark.parametrize('after', [0.0, float('nan')])
def test_a_score_that_no_layer_saves_is_refused(
    model: Any, images: list[np.ndarray], after: float
) -> None:
    runs: list[Run] = []

    def score(run: Run) -> float:
        runs.append(run)
        return 0.9 if len(runs) == 1 else after

    with pytest.raises(ExportError, match=r'from 0\.9000 to .* of its 4 layers'):
        onnx_to_int8(model, images[:2], score=score)
    # Float32, all layers in int8, one kept, two kept.
    assert len(runs) == 4


def test_layers_of_a_large_network_stay_float32_in_groups(
    model: Any, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('m2det_mmdet.export.precision.int8_onnx._GROUPS', 2)
    scores = iter([0.9, 0.8])

    found = onnx_to_int8(model, images[:2], score=lambda _: next(scores, 0.9))

    names = [*_layers(model)]
    assert found.kept in ((names[0], names[1]), (names[2], names[3]))


@pytest.mark.parametrize(
    ('images', 'max_drop', 'message'),
    [([], 0.01, 'got none'), ([0], -1, 'got -1'), ([0], float('nan'), 'got nan')],
)
def test_bad_input_is_named(
    model: Any, images: list, max_drop: float, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        onnx_to_int8(model, images, max_drop=max_drop)
