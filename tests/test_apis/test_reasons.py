"""Why an object was found."""

import numpy as np
import pytest

from m2det_mmdet import Detector
from m2det_mmdet.apis import explain
from m2det_mmdet.apis.reasons import explain_object
from m2det_mmdet.datasets.scenes import compose_scene

MODEL = 'm2det_r18_scenes'


def test_one_object_is_explained_as_among_all() -> None:
    image = compose_scene(np.random.default_rng(3), (160, 128)).image
    detector = Detector(MODEL, device='cpu')
    expected = explain(MODEL, image, device='cpu')
    number = len(expected.objects) - 1
    last = expected.objects[number]

    found = explain_object(detector, image, [*detector(image)][number])

    (one,) = found.objects
    assert one.box == pytest.approx(last.box)
    assert one.evidence == pytest.approx(last.evidence, abs=1e-5)
    assert one.anchors[0].cell == last.anchors[0].cell
    name = found.classes[one.label]
    assert [*found.maps] == [name]
    np.testing.assert_allclose(found.maps[name][0], expected.maps[name][0], atol=1e-5)
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-6)
    assert found.covered == expected.covered
