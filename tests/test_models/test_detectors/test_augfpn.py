import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.models import DetTTAModel
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2det_mmdet.analysis.structure import build_structure
from m2det_mmdet.models.detectors import (
    AugFPNSingleStageDetector,
    AugFPNTwoStageDetector,
)
from m2det_mmdet.models.necks import AugFPN
from m2det_mmdet.models.roi_heads import SoftRoIExtractor

LEAVES = {
    path.stem.partition('_')[0]: path
    for path in (Path(__file__).parents[3] / 'configs/augfpn').glob('*.py')
}
NAMES = ('faster-rcnn', 'mask-rcnn', 'retinanet', 'fcos')
TWO_STAGES = NAMES[:2]
SIZES = [((64, 64), (64, 64)), ((75, 110), (50, 64))]

each_detector = pytest.mark.parametrize('name', NAMES)


@cache
def load(name: str) -> Config:
    return Config.fromfile(LEAVES[name])


def narrow(name: str) -> ConfigDict:
    """The model of a leaf, with few channels, three classes and no frozen layer."""
    model = copy.deepcopy(load(name).model)
    model.backbone.update(
        depth=18,
        base_channels=4,
        stem_channels=4,
        frozen_stages=-1,
        norm_eval=False,
        norm_cfg={'type': 'BN', 'requires_grad': True},
        zero_init_residual=False,
        init_cfg=None,
        style='pytorch',
    )
    model.neck.update(in_channels=[4, 8, 16, 32], out_channels=8)
    if name in TWO_STAGES:
        model.rpn_head.update(in_channels=8, feat_channels=8)
        head = model.roi_head
        head.bbox_roi_extractor.out_channels = 8
        head.bbox_head.update(in_channels=8, fc_out_channels=16, num_classes=3)
        if 'mask_head' in head:
            head.mask_roi_extractor.out_channels = 8
            head.mask_head.update(
                num_convs=1, in_channels=8, conv_out_channels=8, num_classes=3
            )
        model.train_cfg.rcnn.sampler.num = 32
        model.train_cfg.rpn_proposal.max_per_img = 64
        model.test_cfg.rpn.max_per_img = 32
        model.test_cfg.rcnn.score_thr = 0.0
    else:
        # Group norm of 32 groups needs two channels a group where a map is one cell.
        model.bbox_head.update(
            in_channels=8, feat_channels=64, stacked_convs=1, num_classes=3
        )
        model.supervision.bbox_head = {'fc_out_channels': 16}
        model.proposal_cfg = {'max_per_img': 64}
        model.test_cfg.score_thr = 0.0
    return model


def build(config: ConfigDict) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config))
    model.init_weights()
    return model


def batch(*sizes: tuple[int, int], num_objects: int = 2) -> dict:
    """Images of noise ``(height, width)`` with objects of classes 0 and 2, if any."""
    torch.manual_seed(2)
    inputs, samples = [], []
    for height, width in sizes:
        boxes = torch.tensor([[4.0, 6, 40, 30], [20.0, 16, 50, 48]])[:num_objects]
        masks = np.zeros((num_objects, height, width), dtype=np.uint8)
        masks[:, 18:26, 10:36] = 1
        sample = DetDataSample(
            metainfo={
                'img_shape': (height, width),
                'ori_shape': (height, width),
                'scale_factor': (1.0, 1.0),
            }
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes,
            labels=torch.tensor([0, 2])[:num_objects],
            masks=BitmapMasks(masks, height, width),
        )
        inputs.append(torch.randint(256, (3, height, width), dtype=torch.uint8))
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}


def losses_of(model: nn.Module, data: dict) -> dict[str, Tensor]:
    """The losses of a batch, each a scalar; RoIs are drawn alike in every call."""
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    data = model.data_preprocessor(copy.deepcopy(data), training=True)
    _, losses = model.parse_losses(model(**data, mode='loss'))
    return {name: loss for name, loss in losses.items() if 'loss_' in name}


def predict(model: nn.Module, data: dict) -> list[InstanceData]:
    with torch.no_grad():
        found = model.eval().test_step(copy.deepcopy(data))
    return [sample.pred_instances for sample in found]


@pytest.mark.parametrize(
    ('name', 'parent', 'parameters'),
    [
        ('faster-rcnn', AugFPNTwoStageDetector, 5_121_795),
        ('mask-rcnn', AugFPNTwoStageDetector, 5_121_795),
        ('retinanet', AugFPNSingleStageDetector, 9_774_851),
        ('fcos', AugFPNSingleStageDetector, 5_646_083),
    ],
)
def test_leaves_hold_the_parts_of_the_paper(
    name: str, parent: type, parameters: int
) -> None:
    config = load(name)
    model = build_structure(config)
    two_stages = name in TWO_STAGES

    assert config.custom_imports.imports == ['m2det_mmdet']
    assert config.custom_hooks[0].type == 'ClassCheckHook'
    assert type(model) is parent
    assert type(model.neck) is AugFPN
    assert sum(p.numel() for p in model.neck.parameters()) == parameters
    assert model.neck.augment_extra is not two_stages
    assert model.supervision.loss_weight == 0.25
    assert model.supervision.featmap_strides == [4, 8, 16, 32][not two_stages :]
    auxiliary = sum(p.numel() for p in model.supervision.bbox_head.parameters())
    assert auxiliary == 14_306_705
    assert (model.supervision.mask_head is not None) is (name == 'mask-rcnn')
    if two_stages:
        assert type(model.roi_head.bbox_roi_extractor) is SoftRoIExtractor
    if name == 'mask-rcnn':
        assert type(model.roi_head.mask_roi_extractor) is SoftRoIExtractor
        extractors = (model.roi_head.mask_roi_extractor, model.supervision.pool_masks)
        for extractor in extractors:
            assert extractor.roi_layers[0].output_size == (14, 14)


@pytest.mark.parametrize('sizes', SIZES, ids=['square', 'padded'])
@each_detector
def test_it_trains_two_steps_and_predicts(name: str, sizes: list) -> None:
    model = build(narrow(name))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):
        losses = losses_of(model.train(), batch(*sizes))
        assert all(loss.isfinite() for loss in losses.values())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()

    predictions = predict(model, batch(*sizes))
    for (height, width), found in zip(sizes, predictions, strict=True):
        assert len(found) > 0
        assert found.bboxes.isfinite().all()
        assert found.bboxes.min() >= 0
        assert (found.bboxes <= torch.tensor([width, height, width, height])).all()
        if name == 'mask-rcnn':
            assert found.masks.shape == (len(found), height, width)


@each_detector
def test_gradient_reaches_every_parameter(name: str) -> None:
    model = build(narrow(name))
    sum(losses_of(model, batch((96, 128), (96, 128))).values()).backward()
    still = {
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()
    }

    # The scales of FCOS's maps that have no object of their size.
    assert all(n.startswith('bbox_head.scales') for n in still), still
    assert len(still) < 5


@each_detector
def test_laterals_count_a_quarter_and_all_else_is_as_without_them(name: str) -> None:
    config = narrow(name)
    quarter = losses_of(build(config), batch(*SIZES[1]))
    config.supervision.loss_weight = 1.0
    full = losses_of(build(config), batch(*SIZES[1]))
    plain = losses_of(unsupervised(name), batch(*SIZES[1]))

    laterals = {n for n in full if n.startswith('lateral')}
    kinds = ('loss_cls', 'loss_bbox', 'loss_mask')[: 3 if name == 'mask-rcnn' else 2]
    num_laterals = 4 if name in TWO_STAGES else 3
    assert laterals == {f'lateral{i}.{k}' for i in range(num_laterals) for k in kinds}
    for loss in laterals:
        torch.testing.assert_close(quarter[loss], full[loss] / 4)
        assert full[loss] > 0
    assert set(plain) == set(full) - laterals
    for loss, value in plain.items():
        torch.testing.assert_close(value, full[loss], msg=loss)


def unsupervised(name: str) -> nn.Module:
    """mmdet's own detector with the weights of the supervised one."""
    config = narrow(name)
    weights = build(config).state_dict()
    for key in ('supervision', 'proposal_cfg'):
        config.pop(key, None)
    kind = 'TwoStageDetector' if name in TWO_STAGES else 'SingleStageDetector'
    model = build(ConfigDict({**config, 'type': kind}))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert missing == []
    assert all(weight.startswith('supervision.') for weight in unexpected)
    return model


@each_detector
def test_it_predicts_as_without_supervision(name: str) -> None:
    supervised = build(narrow(name))
    # Whatever the auxiliary heads have learnt.
    for parameter in supervised.supervision.parameters():
        nn.init.constant_(parameter, torch.nan)
    data = batch(*SIZES[1])

    for ours, theirs in zip(
        predict(supervised, data), predict(unsupervised(name), data), strict=True
    ):
        assert len(ours) > 0
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours.keys())  # noqa: SIM118


@pytest.mark.parametrize('name', ['faster-rcnn', 'retinanet'])
def test_test_time_augmentation_works(name: str) -> None:
    model = build(narrow(name))
    (seen,) = predict(model, batch((64, 64)))
    tta = DetTTAModel(
        tta_cfg=ConfigDict(nms={'type': 'nms', 'iou_threshold': 0.5}, max_per_img=7),
        module=model,
    )
    views = [batch((64, 64)), batch((64, 64))]
    for view, flip in zip(views, (False, True), strict=True):
        view['data_samples'][0].set_metainfo(
            {'flip': flip, 'flip_direction': 'horizontal' if flip else None}
        )
    stacked = {key: [view[key] for view in views] for key in views[0]}
    with torch.no_grad():
        (found,) = tta.test_step(stacked)

    boxes = found.pred_instances.bboxes
    assert len(boxes) == 7
    # The same image is taken once as it is and once for its mirror image.
    mirrored = seen.bboxes[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1])
    mirrored += torch.tensor([64, 0, 64, 0])
    plain, other = (
        torch.cdist(boxes, view, p=torch.inf).amin(dim=1) < 1e-3
        for view in (seen.bboxes, mirrored)
    )
    assert (plain | other).all()
    assert plain.any()
    assert other.any()


@each_detector
def test_images_without_objects_have_the_same_losses(name: str) -> None:
    model = build(narrow(name))
    expected = losses_of(model, batch((64, 64)))
    losses = losses_of(model, batch((64, 64), num_objects=0))
    sum(losses.values()).backward()

    assert set(losses) == set(expected)
    assert all(loss.isfinite() for loss in losses.values())
    for loss, value in losses.items():
        if loss.startswith('lateral'):
            assert (value > 0).item() is loss.endswith('cls'), loss


@pytest.mark.parametrize('name', ['retinanet', 'fcos'])
def test_a_head_that_predicts_nothing_leaves_the_objects(name: str) -> None:
    config = narrow(name)
    config.proposal_cfg = {'score_thr': 1.0}
    model = build(config)
    some = losses_of(model, batch((64, 64)))
    none = losses_of(model, batch((64, 64), num_objects=0))

    # All RoIs are objects, whose boxes need not move.
    assert some['lateral0.loss_cls'] > 0
    assert some['lateral0.loss_bbox'] < 1e-3
    assert none['lateral0.loss_cls'] == 0


@each_detector
def test_auxiliary_heads_get_their_initial_weights(name: str) -> None:
    model = build(narrow(name))
    head = model.supervision.bbox_head
    # mmdet's: normal of these deviations; PyTorch's own would be 0.14.
    assert head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.5)
    assert head.fc_reg.weight.std().item() == pytest.approx(0.001, rel=0.5)
    assert not any(fc.bias.any() for fc in head.shared_fcs)
    if name == 'mask-rcnn':
        assert not model.supervision.mask_head.conv_logits.bias.any()


def test_the_supervision_follows_the_classes_and_may_differ() -> None:
    config = narrow('faster-rcnn')
    config.supervision.bbox_head = {'loss_bbox': {'type': 'SmoothL1Loss'}}
    supervision = build(config).supervision
    assert supervision.bbox_head.num_classes == 3
    assert type(supervision.bbox_head.loss_bbox).__name__ == 'SmoothL1Loss'
    assert supervision.bbox_head.shared_fcs[0].out_features == 16
    assert build(narrow('retinanet')).supervision.bbox_head.num_classes == 3


@each_detector
def test_a_neck_without_laterals_is_named(name: str) -> None:
    config = narrow(name)
    chain = [config.neck, {'type': 'TCB', 'in_channels': [8] * 5}]
    config.neck.type = 'FPN'
    config.neck.pop('augment_extra', None)
    necks = {'FPN': config.neck, 'Sequential': chain, 'no neck': None}
    for given, neck in necks.items():
        config.neck = neck
        message = rf"which {given} does not return: use .*'AugFPN'"
        with pytest.raises(ValueError, match=message):
            build(config)


def test_strides_may_be_given_for_a_head_that_does_not_tell_them() -> None:
    config = narrow('retinanet')
    config.bbox_head = {
        'type': 'M2DetHead',
        'num_classes': 3,
        'in_channels': [8] * 5,
        'anchor_generator': {
            'type': 'M2DetAnchorGenerator',
            'input_size': 64,
            'sizes': [0.1, 0.2, 0.4, 0.6, 0.8, 1.0],
        },
        'bbox_coder': {'type': 'SSDBBoxCoder'},
    }
    base = LEAVES['retinanet'].parents[1] / '_base_' / 'models' / 'm2det_vgg.py'
    config.train_cfg = Config.fromfile(base).model.train_cfg
    with pytest.raises(ValueError, match=r'M2DetHead has no known strides: give'):
        build(config)

    config.supervision.featmap_strides = [8, 16, 32]
    losses = losses_of(build(config), batch(*SIZES[0]))
    assert losses['lateral2.loss_cls'] > 0


def test_settings_of_sampling_may_differ_one_by_one() -> None:
    config = narrow('retinanet')
    config.sampling_cfg = {'sampler': {'num': 64}, 'assigner': {'pos_iou_thr': 0.6}}
    model = build(config)
    assert (model.sampler.num, model.sampler.pos_fraction) == (64, 0.25)
    assert (model.assigner.pos_iou_thr, model.assigner.neg_iou_thr) == (0.6, 0.5)

    config.sampling_cfg = {'sampler': {'type': 'NoSampler'}}
    with pytest.raises(KeyError, match='NoSampler is not in'):
        build(config)


@pytest.mark.parametrize('name', ['faster-rcnn', 'retinanet'])
def test_laterals_and_strides_that_differ_are_named(name: str) -> None:
    config = narrow(name)
    config.supervision.featmap_strides = [8, 16]
    laterals = 4 if name in TWO_STAGES else 3
    message = rf'{laterals} laterals, .* from 2 levels \(featmap_strides=\[8, 16\]\)'
    with pytest.raises(ValueError, match=message):
        build(config)


def test_a_head_that_trains_otherwise_is_named() -> None:
    config = narrow('faster-rcnn')
    config.roi_head.type = 'PISARoIHead'
    with pytest.raises(ValueError, match=r'trains a StandardRoIHead, and PISARoIHead'):
        build(config)

    config = narrow('faster-rcnn')
    head = config.roi_head
    head.update(type='CascadeRoIHead', num_stages=1, stage_loss_weights=[1])
    head.bbox_head = [head.bbox_head]
    config.train_cfg.rcnn = [config.train_cfg.rcnn]
    with pytest.raises(ValueError, match=r'StandardRoIHead, and CascadeRoIHead trains'):
        build(config)

    config = narrow('fcos')
    config.bbox_head.norm_on_bbox = True
    with pytest.raises(ValueError, match=r'FCOSHead with norm_on_bbox=True .* remove'):
        build(config)


def test_hard_examples_are_looked_for_in_the_pyramid() -> None:
    config = narrow('faster-rcnn')
    config.train_cfg.rcnn.sampler.update(type='OHEMSampler', num=8)
    model = build(config)
    seen = []
    sample = model.roi_head.bbox_sampler.hard_mining

    def look(indices: Tensor, number: int, *rest: Any) -> Tensor:
        *_, maps = rest
        seen.append((len(indices) > number, [len(x) for x in maps]))
        return sample(indices, number, *rest)

    model.roi_head.bbox_sampler.hard_mining = look
    losses = losses_of(model, batch(*SIZES[1]))

    # Among more than may be drawn, on the maps of one image alone.
    assert len(seen) >= 2
    assert all(chosen == (True, [1] * 5) for chosen in seen)
    assert losses['lateral0.loss_cls'] > 0
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize('name', ['OHEMSampler', 'ScoreHLRSampler'])
def test_a_sampler_that_needs_an_roi_head_is_named(name: str) -> None:
    config = narrow('retinanet')
    config.sampling_cfg = {'sampler': {'type': name, 'num': 8, 'pos_fraction': 0.25}}
    with pytest.raises(ValueError, match=rf'{name} in sampling_cfg .*RandomSampler'):
        build(config)


def test_a_detector_without_rpn_is_named() -> None:
    config = narrow('faster-rcnn')
    config.rpn_head = None
    with pytest.raises(ValueError, match=r'needs an RPN.* give rpn_head'):
        build(config)
