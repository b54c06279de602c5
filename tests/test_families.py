"""Of every family of configs one detector, made small, trains and predicts."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.cbook import get_sample_data
from mmdet.apis import inference_detector
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

CONFIGS = Path(__file__).parents[1] / 'configs'
FAMILIES = {
    path.parent.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.relative_to(CONFIGS).parts
}
NECKS = ('fpn', 'pafpn', 'nasfpn', 'rfp', 'bifpn', 'augfpn', 'tcb', 'ssd', 'mlfpn')
# A leaf of each family, by how much its channels are divided, and the shorter side of
# its images. VGG-16 has no narrower form.
SMALL = {
    'm2det': [('m2det_r50_320', 8, 320)],
    'm2det/ablation': [('ablation_r101_320', 8, 320)],
    'm2det/backbones': [
        ('m2det_mobilenet-v2_320', 8, 320),
        ('m2det_efficientnet-lite0_bccd', 1, 320),
    ],
    'm2det/ablation_narrow': [('ablation_narrow_8_tum_scenes', 1, 128)],
    # Narrower, SFAM would have one hidden unit, which no image may reach.
    'm2det/modern': [('m2det_n', 1, 640)],
    'm2det/levels': [('levels_4x41_scenes', 1, 128)],
    'm2det/parts': [('parts_quality_lite0_bccd', 1, 320)],
    'm2det/release': [('m2det_r101_320_release', 8, 320)],
    'augfpn': [('retinanet_r50_augfpn_1x_coco', 8, 128)],
    'mlfpn': [('retinanet_r50_mlfpn_1x_coco', 8, 128)],
    'mlfpn/mlfpn_narrow': [('faster-rcnn_r18_mlfpn_scenes', 1, 128)],
    'necks': [('retinanet_r50_bifpn_1x_coco', 8, 128)],
    'necks/necks_narrow': [(f'necks_{neck}_r18_scenes', 1, 128) for neck in NECKS],
    'necks/necks_lite0': [('necks_bifpn_lite0_bccd', 1, 320)],
    'panet': [('faster-rcnn_r50_panet_1x_coco', 8, 128)],
    'panet/panet_narrow': [('faster-rcnn_r18_panet_scenes', 1, 128)],
    'refinedet': [('refinedet_r18_scenes', 1, 128)],
    'ssd': [('ssd_vgg_300', 1, 300)],
}
# These take more than three seconds on one core.
SLOW = {
    'm2det_r50_320',
    'ablation_r101_320',
    'm2det_n',
    'm2det_r101_320_release',
    'parts_quality_lite0_bccd',
    'ssd_vgg_300',
}


def build(config: Config) -> BaseDetector:
    torch.manual_seed(0)
    model = MODELS.build(deepcopy(config.model))
    model.init_weights()
    model.cfg = config
    return model


def batch(*sizes: tuple[int, int]) -> dict:
    """Random images with objects of sizes for all scales."""
    samples = []
    for height, width in sizes:
        sample = DetDataSample(
            metainfo={
                'img_shape': (height, width),
                'ori_shape': (height, width),
                'scale_factor': (1.0, 1.0),
            }
        )
        sides = torch.tensor([0.08, 0.13, 0.24, 0.4, 0.65, 0.95]) * min(height, width)
        corners = torch.rand(6, 2) * (torch.tensor([width, height]) - sides[:, None])
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corners, corners + sides[:, None]], dim=1),
            labels=torch.tensor([0, 1, 2, 0, 1, 2]),
        )
        samples.append(sample)
    images = [torch.randint(256, (3, *size), dtype=torch.uint8) for size in sizes]
    return {'inputs': images, 'data_samples': samples}


def check(found: list[DetDataSample]) -> None:
    """Boxes of whatever a detector found lie within its image, the best first."""
    for sample in found:
        height, width = sample.ori_shape
        boxes, scores = sample.pred_instances.bboxes, sample.pred_instances.scores
        assert len(boxes) == len(scores) > 0
        assert boxes.isfinite().all()
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([width, height] * 2) + 1e-3).all()
        assert (scores.diff() <= 0).all()
        assert 0 < scores[0] <= 1


def untrained(model: BaseDetector, config: Config, data: list[dict]) -> list[str]:
    """Train a step with each batch; return the parameters without any gradient."""
    model.train()
    settings = deepcopy(config.optim_wrapper)
    # As warm-up begins.
    settings.optimizer.lr *= 0.01
    # Over the one-cell maps of two images batch norm makes gradients explode.
    settings.clip_grad = {'max_norm': 35}
    wrapper = build_optim_wrapper(model, settings)
    reached = set()

    def look(*_: Any) -> None:
        reached.update(
            name
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and parameter.grad.any()
        )

    wrapper.optimizer.register_step_pre_hook(look)
    for each in data:
        losses = model.train_step(deepcopy(each), wrapper)
        assert all(value.isfinite() for value in losses.values())
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and name not in reached
    ]


def cases() -> list:
    return [
        pytest.param(
            (family, *case),
            id=case[0],
            marks=[pytest.mark.slow] if case[0] in SLOW else [],
        )
        for family, leaves in SMALL.items()
        for case in leaves
    ]


def test_every_family_has_a_case() -> None:
    assert set(SMALL) == FAMILIES


@pytest.mark.parametrize('case', cases())
def test_it_trains_two_steps_and_predicts(
    request: pytest.FixtureRequest,
    small_config: Callable[..., Config],
    case: tuple[str, str, int, int],
) -> None:
    side = case[-1]
    config = small_config(*case)
    if config.model.backbone.type == 'TimmBackbone':
        request.getfixturevalue('with_timm')
    model = build(config)
    wide = [(side, side * 5 // 4), (side - 3, side)]

    data = [batch((side, side), (side, side)), batch(*wide)]
    assert untrained(model, config, data) == []
    model.eval()
    with torch.no_grad():
        check(model.test_step(batch((side, side))))
        check(model.test_step(batch(*wide)))
    photograph = get_sample_data('grace_hopper.jpg', asfileobj=False)
    check([inference_detector(model, photograph)])
