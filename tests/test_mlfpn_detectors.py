"""MLFPN in the detectors of MMDetection: the configs in `configs/mlfpn`, reduced."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mmdet
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from m2det_mmdet.analysis.complexity import measure
from m2det_mmdet.analysis.structure import build_structure
from m2det_mmdet.engine import PyramidCheckHook

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs' / 'mlfpn'
THEIRS = Path(mmdet.__file__).parent / '.mim' / 'configs'
# Real images, where there are some beside the repository.
IMAGES = sorted((ROOT.parent / 'shared/data/coco_tiny/val2017').glob('*.jpg'))[:1]
BASES = {
    'retinanet_r50_mlfpn_1x_coco': 'retinanet/retinanet_r50_fpn_1x_coco',
    'atss_r50_mlfpn_1x_coco': 'atss/atss_r50_fpn_1x_coco',
    'gfl_r50_mlfpn_1x_coco': 'gfl/gfl_r50_fpn_1x_coco',
    'fcos_r50-caffe_mlfpn_gn-head_1x_coco': 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco',
    'faster-rcnn_r50_mlfpn_1x_coco': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco',
    'mask-rcnn_r50_mlfpn_1x_coco': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco',
}
# xyxy in pixels; every scale has something to learn from them.
BOXES = torch.tensor(
    [
        [3, 4, 13, 15],
        [30, 10, 52, 34],
        [50, 8, 90, 50],
        [5, 40, 96, 122],
        [66, 66, 159, 159],
    ]
).float()

each_leaf = pytest.mark.parametrize('leaf', BASES)


def load(leaf: str) -> Config:
    config = Config.fromfile(CONFIGS / f'{leaf}.py')
    init_default_scope(config.default_scope)
    config.model.backbone.init_cfg = None
    return config


def is_two_stage(leaf: str) -> bool:
    return 'rcnn' in leaf


def reduce(model: ConfigDict) -> ConfigDict:
    """A ResNet-18 of 8 channels, heads of 32, anchors of 8 to 128 pixels."""
    channels = 32
    indices = model.backbone.out_indices
    model.backbone.update(
        depth=18,
        base_channels=8,
        stem_channels=8,
        # With the frozen norms of FCOS no gradient would pass.
        zero_init_residual=False,
    )
    model.neck.update(
        in_channels=[8 * 2**index for index in indices],
        ffm_channels=[8] * len(indices),
        num_levels=2,
        tum_channels=8,
        sfam_reduction=2,
        out_channels=channels,
    )
    limit = {'score_thr': 0.0, 'nms_pre': 50, 'max_per_img': 10}
    if 'roi_head' not in model:
        head = model.bbox_head
        # Two channels for each of 32 groups of a group norm.
        head.update(in_channels=channels, feat_channels=64, stacked_convs=1)
        if 'anchor_generator' in head:
            head.anchor_generator.octave_base_scale = 1
        else:
            head.regress_ranges = ((-1, 12), (12, 24), (24, 48), (32, 80), (32, 1e8))
        model.test_cfg.update(limit)
        return model
    model.rpn_head.update(in_channels=channels, feat_channels=channels)
    for name, part in model.roi_head.items():
        if name.endswith('_roi_extractor'):
            part.out_channels = channels
        elif name == 'bbox_head':
            part.update(in_channels=channels, fc_out_channels=16)
        elif name == 'mask_head':
            part.update(in_channels=channels, conv_out_channels=8, num_convs=1)
    # All anchors count, those of the smallest map too.
    model.train_cfg.rpn.sampler.num = 20_000
    model.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
    model.test_cfg.rpn.update(nms_pre=50, max_per_img=20)
    model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=10)
    return model


def build(leaf: str) -> BaseDetector:
    torch.manual_seed(0)
    model = MODELS.build(reduce(load(leaf).model))
    model.init_weights()
    return model


def sample(size: tuple[int, int]) -> DetDataSample:
    """Five objects, with a box and a mask each."""
    found = DetDataSample(
        metainfo={'img_shape': size, 'ori_shape': size, 'scale_factor': (1.0, 1.0)}
    )
    masks = np.zeros((len(BOXES), *size), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, BOXES.int(), strict=True):
        mask[top:bottom, left:right] = 1
    found.gt_instances = InstanceData(
        bboxes=BOXES, labels=torch.arange(len(BOXES)), masks=BitmapMasks(masks, *size)
    )
    found.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long()
    )
    return found


def batch(*sizes: tuple[int, int]) -> dict[str, list]:
    images = [torch.randint(256, (3, *size), dtype=torch.uint8) for size in sizes]
    return {'inputs': images, 'data_samples': [sample(size) for size in sizes]}


def test_the_leaves_are_those_of_this_file() -> None:
    assert sorted(path.stem for path in CONFIGS.glob('*.py')) == sorted(BASES)


def plain(value: Any) -> Any:
    """Without the scopes that the name of a config of mmdet brings."""
    if isinstance(value, dict):
        return {key: plain(x) for key, x in value.items() if key != '_scope_'}
    if isinstance(value, (list, tuple)):
        return [plain(x) for x in value]
    return value


@each_leaf
def test_nothing_but_the_neck_differs_from_the_config_of_mmdet(leaf: str) -> None:
    ours, theirs = load(leaf), Config.fromfile(THEIRS / f'{BASES[leaf]}.py')
    assert ours.model.neck.type == 'MLFPN'
    added = {'custom_imports', 'custom_hooks', 'mlfpn'}
    added |= {'mlfpn_from_c2', 'mlfpn_from_c3'}
    for config in (ours, theirs):
        config.model.pop('neck')
        config.model.backbone.update(init_cfg=None, out_indices=None)

    assert ours.keys() - added == theirs.keys()
    for key in theirs:
        assert plain(ours[key]) == plain(theirs[key]), key


@cache
def structure(leaf: str) -> BaseDetector:
    return build_structure(load(leaf))


@each_leaf
def test_the_maps_have_the_strides_that_the_head_expects(leaf: str) -> None:
    model = structure(leaf)
    head = model.rpn_head if is_two_stage(leaf) else model.bbox_head
    first = 4 if is_two_stage(leaf) else 8
    height, width = 333, 501
    with torch.no_grad():
        maps = model.extract_feat(torch.empty(2, 3, height, width, device='meta'))

    assert head.prior_generator.strides == [(first * 2**i,) * 2 for i in range(5)]
    assert [tuple(x.shape[1:]) for x in maps] == [
        (256, -(-height // stride), -(-width // stride))
        for stride, _ in head.prior_generator.strides
    ]


@pytest.mark.slow
# Parameters and GFLOP of mmdet's config and of ours at 1333x800.
@pytest.mark.parametrize(
    ('leaf', 'parameters', 'gflop'),
    [
        ('retinanet_r50_mlfpn_1x_coco', (37.97, 32.72), (499.0, 499.2)),
        ('faster-rcnn_r50_mlfpn_1x_coco', (41.75, 40.94), (430.1, 414.4)),
        ('mask-rcnn_r50_mlfpn_1x_coco', (44.40, 43.59), (536.1, 520.4)),
    ],
)
def test_the_costs_are_those_of_the_readme(
    leaf: str, parameters: tuple, gflop: tuple
) -> None:
    configs = (THEIRS / f'{BASES[leaf]}.py', CONFIGS / f'{leaf}.py')
    costs = [measure(Config.fromfile(config)) for config in configs]

    assert [round(x.parameters / 1e6, 2) for x in costs] == list(parameters)
    assert [round(x.flops / 1e9, 1) for x in costs] == list(gflop)


@each_leaf
def test_it_trains_and_gradient_reaches_every_parameter(leaf: str) -> None:
    model = build(leaf).train()
    runner, hook = SimpleNamespace(model=model), PyramidCheckHook()
    hook.before_train_epoch(runner)
    optimizer = KeepsGradient(torch.optim.SGD(model.parameters(), lr=1e-3))
    for step in range(2):
        losses = model.train_step(batch((160, 160), (160, 160)), optimizer)
        hook.after_train_iter(runner, step)
        assert all(torch.isfinite(loss).all() for loss in losses.values())

    parameters = dict(model.named_parameters())
    silent = [n for n, p in parameters.items() if p.grad is None or not p.grad.any()]
    # mmdet's configs freeze the stem and the first stage, that of FCOS all batch norms
    # of the backbone too.
    assert silent == [n for n, p in parameters.items() if not p.requires_grad]
    assert all(name.startswith('backbone.') for name in silent)
    for name in (n for n in silent if parameters[n].dim() == 4):
        assert name.startswith(('backbone.conv1', 'backbone.layer1'))


class KeepsGradient(OptimWrapper):
    """Leaves the gradients of all steps in the parameters."""

    def zero_grad(self, **kwargs) -> None:  # noqa: ANN003
        """Do nothing."""


def check(predicted: DetDataSample, leaf: str) -> None:
    height, width = predicted.ori_shape
    found = predicted.pred_instances
    assert len(found) > 0
    assert torch.isfinite(found.bboxes).all()
    assert found.bboxes.min() >= 0
    assert (found.bboxes <= torch.tensor([width, height] * 2)).all()
    assert ('masks' in found) == leaf.startswith('mask')
    if 'masks' in found:
        assert found.masks.shape == (len(found), height, width)
        assert found.masks.dtype == torch.bool


@each_leaf
@pytest.mark.parametrize('size', [(64, 64), (70, 100)])
def test_it_predicts_at_square_and_padded_sizes(
    leaf: str, size: tuple[int, int]
) -> None:
    model = build(leaf).eval()
    PyramidCheckHook().before_test_epoch(SimpleNamespace(model=model))
    (predicted,) = model.test_step(batch(size))

    assert predicted.batch_input_shape == tuple(-(-side // 32) * 32 for side in size)
    check(predicted, leaf)


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES, reason='there are no real images')
@each_leaf
def test_it_predicts_on_a_real_image(leaf: str) -> None:
    pipeline = load(leaf).test_dataloader.dataset.pipeline
    pipeline[1].scale = (128, 96)
    # Without annotations, which are not needed to predict.
    steps = [step for step in pipeline if step.type != 'LoadAnnotations']
    data = Compose(steps)({'img_path': str(IMAGES[0]), 'img_id': 0})
    inputs, found = data['inputs'], data['data_samples']
    (predicted,) = (
        build(leaf).eval().test_step({'inputs': [inputs], 'data_samples': [found]})
    )

    check(predicted, leaf)
