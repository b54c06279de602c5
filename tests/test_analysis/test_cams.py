import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.models.detectors import BaseDetector, SingleStageDetector
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from m2det_mmdet.analysis.cams import CamError, eigen_cam, grad_cam
from m2det_mmdet.compat.environment import PackagesError
from m2det_mmdet.utils.configs import load_config

needs_grad_cam = pytest.mark.usefixtures('with_grad_cam')
IMAGES = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))


class HandMade(SingleStageDetector):
    """Its maps are given, and its head adds their channels up by given weights.

    Args:
        maps: ``(1, C, h, w)`` of each scale.
        weights: ``(classes, C)``.
    """

    def __init__(self, maps: list[Tensor], weights: Tensor) -> None:
        nn.Module.__init__(self)
        self.maps = maps
        self.bbox_head = Head(weights)

    def extract_feat(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.maps)


class Head(nn.Module):
    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.cls_out_channels = len(weights)
        self.weights = nn.Parameter(weights)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[list[Tensor], None]:
        # It changes what it gets, and looks at the last scale first.
        scores = [
            torch.einsum('kc,nchw->nkhw', self.weights, x.mul_(1)) for x in maps[::-1]
        ]
        return scores[::-1], None


def maps_with_spots() -> list[Tensor]:
    """Two scales; channel 0 is hot top left in the first, channel 1 below in both."""
    fine, coarse = torch.zeros(1, 2, 4, 8), torch.zeros(1, 2, 2, 4)
    fine[0, 0, 0, 0] = 1
    fine[0, 1, 3, 7] = 1
    coarse[0, 1, 1, 0] = 2
    return [fine, coarse]


def build(name: str) -> BaseDetector:
    init_default_scope('mmdet')
    return MODELS.build(load_config(name).model).eval()


@needs_grad_cam
@pytest.mark.slow
def test_the_heat_of_a_class_is_where_its_only_weight_is() -> None:
    model = HandMade(maps_with_spots(), torch.eye(2))
    images = torch.zeros(1, 3, 32, 64)
    first, second = grad_cam(model, images, [0, 1])

    assert first.shape == second.shape == (32, 64)
    assert first[0, 0] == pytest.approx(1, abs=1e-5)
    assert np.abs(first[16:]).max() == np.abs(first[:, 32:]).max() == 0
    # The largest score of the other class is in the coarse map.
    assert second[31, 0] == pytest.approx(1, abs=1e-5)
    assert np.abs(second[:, 32:]).max() == 0
    assert model.bbox_head.weights.grad is None
    assert all(torch.equal(*x) for x in zip(model.maps, maps_with_spots(), strict=True))


@needs_grad_cam
@pytest.mark.slow
def test_what_speaks_against_a_class_is_cold() -> None:
    model = HandMade(maps_with_spots()[:1], torch.tensor([[-1.0, 1.0]]))
    (heat,) = grad_cam(model, torch.zeros(1, 3, 32, 64), [0])

    assert heat[31, 63] == pytest.approx(1, abs=1e-5)
    assert heat[0, 0] == 0


@needs_grad_cam
@pytest.mark.slow
def test_the_first_component_is_where_the_maps_stand_out() -> None:
    # Larger than what the library gets; both channels are hot in the same quarter.
    maps = torch.zeros(1, 2, 80, 160)
    maps[:, :, 40:, 80:] = torch.tensor([3.0, 1.0])[:, None, None]
    heat = eigen_cam(HandMade([maps], torch.eye(2)), torch.zeros(1, 3, 80, 160))
    inside = heat[50:, 90:].mean()

    assert heat.shape == (80, 160)
    # The sign of a component is arbitrary.
    assert sorted([round(float(inside)), round(float(heat[:30].mean()))]) == [0, 1]


@needs_grad_cam
@pytest.mark.slow
@pytest.mark.parametrize('name', ['necks_fpn_r18_scenes', 'refinedet_r18_scenes'])
def test_any_detector_has_an_eigencam_of_its_input(name: str) -> None:
    heat = eigen_cam(build(name), IMAGES)

    assert heat.shape == (96, 128)
    assert 0 <= heat.min() < 0.1
    assert 0.9 < heat.max() <= 1


@needs_grad_cam
@pytest.mark.slow
def test_the_heat_of_a_class_changes_no_detection() -> None:
    model = build('necks_fpn_r18_scenes')
    with torch.no_grad():
        before = model.bbox_head(model.extract_feat(IMAGES))[0]
        heat = grad_cam(model, IMAGES, [2])
        after = model.bbox_head(model.extract_feat(IMAGES))[0]

    assert heat[0].shape == (96, 128)
    assert 0.9 < heat[0].max() <= 1
    assert all(torch.equal(*x) for x in zip(before, after, strict=True))


@pytest.mark.parametrize('kind', ['refined', 'two stages', 'other head'])
def test_grad_cam_needs_class_scores_of_each_scale(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = HandMade(maps_with_spots(), torch.eye(2))
    if kind == 'refined':
        model.arm_head = nn.Identity()
    elif kind == 'two stages':
        del model.bbox_head
    else:
        model.bbox_head.cls_out_channels = None
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', SimpleNamespace())

    with pytest.raises(CamError, match='HandMade has none: take eigencam'):
        grad_cam(model, IMAGES, [0])


def test_what_are_no_maps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = HandMade([torch.zeros(1, 2)], torch.eye(2))
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', SimpleNamespace())

    with pytest.raises(CamError, match=r'HandMade\.extract_feat gives no maps'):
        eigen_cam(model, IMAGES)


def test_without_grad_cam_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, 'path', [])
    for name in [x for x in sys.modules if x.startswith('pytorch_grad_cam')]:
        monkeypatch.delitem(sys.modules, name)
    model = HandMade(maps_with_spots(), torch.eye(2))

    message = r'EigenCAM needs grad-cam, and .* `pip install "m2det\[cam\]"`'
    with pytest.raises(PackagesError, match=message):
        eigen_cam(model, IMAGES)
