from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.precision.calibration import Run
from m2det_mmdet.export.precision.int8_onnx import run_onnx
from m2det_mmdet.export.precision.int8_openvino import openvino_to_int8, run_openvino

needs_nncf = pytest.mark.skipif(find_spec('nncf') is None, reason='needs nncf')


def _error(run: Run, batch: np.ndarray, expected: np.ndarray) -> float:
    return float(abs(run(batch)['all_boxes'] - expected).max())


@needs_nncf
def test_the_network_is_int8_and_the_rest_is_left_alone(
    model: Any, images: list[np.ndarray], capsys: pytest.CaptureFixture
) -> None:
    before = model.SerializeToString()
    batch = np.concatenate(images)
    expected = run_onnx(model)(batch)['all_boxes']

    found = openvino_to_int8(model, images)

    assert model.SerializeToString() == before
    assert found[1:] == ((), None, None)
    kinds = [x.get_type_name() for x in found.model.get_ordered_ops()]
    assert kinds.count('Convolution') == 4
    assert kinds.count('FakeQuantize') >= 3
    # Nothing is rounded on the way from the last layers to the boxes.
    last = max(i for i, x in enumerate(kinds) if x == 'Convolution')
    assert 'FakeQuantize' not in kinds[last:]
    assert 'Loop' in kinds[last:]
    assert 0 < _error(run_openvino(found.model), batch, expected) < 2
    assert capsys.readouterr() == ('', '')


@needs_nncf
def test_layers_go_back_to_float32_until_the_score_holds(
    model: Any, images: list[np.ndarray]
) -> None:
    # Float32, all in int8, some layers back.
    scores = iter([0.9, 0.8])

    found = openvino_to_int8(model, images, score=lambda _: next(scores, 0.895))

    assert (found.before, found.after) == (0.9, 0.895)
    names = {x.name: x.input[1] for x in model.graph.node if x.op_type == 'Conv'}
    assert 0 < len(found.kept) < len(names)
    constants = {
        x.get_friendly_name()
        for x in found.model.get_ops()
        if x.get_type_name() == 'Constant' and x.get_element_type().is_real()
    }
    assert {x for x, weights in names.items() if weights in constants} == {*found.kept}


@needs_nncf
def test_a_score_that_nothing_saves_is_refused(
    model: Any, images: list[np.ndarray]
) -> None:
    scores = iter([0.9])

    with pytest.raises(ExportError, match=r'from 0\.9000 to 0\.0000'):
        openvino_to_int8(model, images, score=lambda _: next(scores, 0.0))


def test_no_images_are_refused_and_a_missing_package_is_named(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        'm2det_mmdet.export.extras.find_spec', lambda name: name != 'nncf' or None
    )

    with pytest.raises(
        ExportError, match=r'nncf must be installed: pip install "m2det\[openvino\]"'
    ):
        openvino_to_int8(model, [])
