import copy
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData

from m2det_mmdet.analysis.speed import measure_speed, splits
from m2det_mmdet.datasets.coco import DatasetError
from m2det_mmdet.engine.hooks.class_check_hook import check_classes
from m2det_mmdet.models.acceleration import accelerate
from m2det_mmdet.models.detectors import RefineDet

SHIPPED = Config.fromfile(
    Path(__file__).parents[3] / 'configs' / '_base_' / 'models' / 'refinedet_vgg.py'
)
CONFIG = ConfigDict(
    type='RefineDet',
    data_preprocessor={'type': 'DetDataPreprocessor'},
    backbone={
        'type': 'RefineDetResNet',
        'depth': 18,
        'base_channels': 8,
        'stem_channels': 8,
        'num_stages': 2,
        'strides': (1, 2),
        'dilations': (1, 1),
        'out_indices': (1,),
        'extra_channels': (16, 16),
        'frozen_stages': -1,
        'norm_eval': False,
    },
    neck={
        'type': 'TCB',
        'in_channels': (16, 16, 16),
        'out_channels': 12,
        'norm_cfg': {'type': 'BN'},
    },
    bbox_head={
        'type': 'ODMHead',
        'num_classes': 3,
        'anchor_generator': {
            'type': 'RefineDetAnchorGenerator',
            'input_size': 64,
            'strides': (8, 16, 32),
            'scale': 1.6,
        },
        'bbox_coder': {'type': 'SSDBBoxCoder'},
    },
    train_cfg=SHIPPED.model.train_cfg,
    test_cfg={
        'score_thr': 0.2,
        'nms': {'type': 'nms', 'iou_threshold': 0.45},
        'max_per_img': 10,
    },
)


def build(**changes: dict) -> RefineDet:
    torch.manual_seed(0)
    config = copy.deepcopy(CONFIG)
    for part, change in changes.items():
        config[part] = {**config.get(part, {}), **change}
    return MODELS.build(config)


def sample(height: int, width: int, count: int = 1) -> DetDataSample:
    """An object of class 1, or none, in an image of the given size."""
    size = (height, width)
    found = DetDataSample(
        metainfo={
            'img_shape': size,
            'ori_shape': size,
            'batch_input_shape': size,
            'scale_factor': (1.0, 1.0),
        }
    )
    found.gt_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8.0, 56.0, 56.0]])[:count],
        labels=torch.ones(count, dtype=torch.long),
    )
    return found


def test_the_first_head_follows_the_backbone_and_the_second_the_neck() -> None:
    model = build()

    assert model.arm_head.in_channels == [16, 16, 16]
    assert model.bbox_head.in_channels == [12, 12, 12]
    assert model.arm_head.prior_generator.shapes == (
        model.bbox_head.prior_generator.shapes
    )
    assert model.arm_head.train_cfg == model.bbox_head.train_cfg


def test_neck_and_first_head_follow_the_backbone_where_no_channels_are_given() -> None:
    config = copy.deepcopy(CONFIG)
    del config.neck['in_channels']
    model = MODELS.build(config)

    assert model.arm_head.in_channels == [16, 16, 16]
    assert model.neck(model.backbone(torch.rand(1, 3, 64, 64)))[0].shape[1] == 12


def test_auxiliary_heads_are_refused() -> None:
    with pytest.raises(ValueError, match='no auxiliary ones: remove aux_levels'):
        MODELS.build({**copy.deepcopy(CONFIG), 'aux_levels': (0,)})


def test_the_forward_gives_the_outputs_of_both_heads() -> None:
    model = build().eval()
    images = torch.rand(1, 3, 64, 64)
    outputs = model(images, mode='tensor')
    maps = model.backbone(images)

    channels = [[x.shape[1] for x in output] for output in outputs]
    assert channels == [[3 * 4] * 3, [3 * 4] * 3, [3 * 2] * 3, [3 * 4] * 3]
    for found, expected in zip(outputs[2:], model.arm_head(maps), strict=True):
        torch.testing.assert_close(found, expected)
    expected = super(type(model.bbox_head), model.bbox_head).forward(model.neck(maps))
    for found, wanted in zip(outputs[:2], expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_the_first_head_takes_what_the_first_neck_of_a_chain_does() -> None:
    config = copy.deepcopy(CONFIG)
    config.neck = [config.neck, {**config.neck, 'in_channels': (12,) * 3}]
    model = MODELS.build(config)
    assert model.arm_head.in_channels == [16, 16, 16]
    assert len(model.eval()(torch.rand(1, 3, 64, 64), mode='tensor')) == 4


def test_it_learns_an_image_and_predicts_its_object() -> None:
    model = build()
    images = torch.rand(2, 3, 64, 64)
    samples = [sample(64, 64), sample(64, 64)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(30):
        optimizer.zero_grad()
        losses = model.loss(images, samples)
        sum(losses.values()).backward()
        optimizer.step()
    with torch.no_grad():
        found, _ = model.predict(images, samples)

    assert list(losses) == ['loss_arm_cls', 'loss_arm_bbox', 'loss_cls', 'loss_bbox']
    best = found.pred_instances[0]
    assert best.labels.tolist() == [1]
    torch.testing.assert_close(
        best.bboxes[0], torch.tensor([8.0, 8, 56, 56]), atol=4, rtol=0
    )


@pytest.mark.parametrize('size', [(64, 64), (70, 91)])
def test_gradient_reaches_every_parameter(size: tuple[int, int]) -> None:
    model = build()
    full = sample(*size)
    # About an anchor of each scale.
    boxes = torch.tensor([[6.0, 6, 18, 18], [27, 27, 53, 53], [0, 0, 42, 42]])
    full.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 1, 2]))
    losses = model.loss(torch.rand(2, 3, *size), [full, sample(*size, count=0)])
    sum(losses.values()).backward()

    assert all(torch.isfinite(value) for value in losses.values())
    assert [n for n, p in model.named_parameters() if not p.grad.any()] == []


def test_a_batch_without_objects_can_be_trained_on() -> None:
    losses = build().loss(torch.rand(1, 3, 64, 64), [sample(64, 64, count=0)])
    sum(losses.values()).backward()
    assert all(value.item() == 0 for value in losses.values())


def test_a_crowd_is_ignored_by_both_heads() -> None:
    model = build()
    plain, crowded = sample(64, 64), sample(64, 64)
    crowded.ignored_instances = InstanceData(
        bboxes=torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    )
    model.arm_head.train_cfg.ignore_iof_thr = 0.5
    images = torch.rand(2, 3, 64, 64)
    free, spared = (model.loss(images, [x] * 2) for x in (plain, crowded))

    for name in ('loss_arm_cls', 'loss_cls'):
        # The positives are left.
        assert 0 < spared[name] < free[name]
    assert spared['loss_arm_bbox'] == free['loss_arm_bbox']


def test_the_heads_may_be_matched_by_other_assigners() -> None:
    config = copy.deepcopy(CONFIG)
    config.bbox_head.update(
        loss_cls={'type': 'VarifocalLoss'}, loss_bbox={'type': 'GIoULoss'}
    )
    config.train_cfg.assigner = {'type': 'DynamicSoftLabelAssigner'}
    # It needs a sigmoid, and the first head has a softmax.
    with pytest.raises(ValueError, match='DynamicSoftLabelAssigner, which needs'):
        MODELS.build(config)
    config.arm_head = {'train_cfg': CONFIG.train_cfg}
    model = MODELS.build(config)
    losses = model.loss(torch.rand(1, 3, 64, 64), [sample(64, 64)])
    sum(losses.values()).backward()

    assert all(value > 0 for value in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_views_in_the_mirror_and_soft_nms_are_merged() -> None:
    model = build(test_cfg={'score_thr': 0.0}).eval()
    soft = {'nms': {'type': 'soft_nms', 'iou_threshold': 0.3}, 'max_per_img': 7}
    tta = MODELS.build(
        {'type': 'M2DetTTAModel', 'module': model, 'tta_cfg': ConfigDict(soft)}
    )
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    views = {'inputs': [], 'data_samples': []}
    for flip in (False, True):
        view = sample(64, 64)
        view.set_metainfo({'flip': flip, 'flip_direction': 'horizontal'})
        views['inputs'].append([image.flip(-1) if flip else image])
        views['data_samples'].append([view])
    with torch.no_grad():
        plain, mirrored = (
            model.test_step({'inputs': inputs, 'data_samples': [sample(64, 64)]})
            for inputs in views['inputs']
        )
        (merged,) = tta.test_step(views)

    seen = [view.pred_instances for view in (*plain, *mirrored)]
    seen[1].bboxes = bbox_flip(seen[1].bboxes, (64, 64))
    expected = model.bbox_head.suppress(InstanceData.cat(seen), tta.tta_cfg)
    found = merged.pred_instances
    assert len(found) == 7
    assert torch.equal(found.labels, expected.labels)
    torch.testing.assert_close(found.scores, expected.scores)
    torch.testing.assert_close(found.bboxes, expected.bboxes)


def test_the_benchmark_tells_network_from_suppression() -> None:
    model = build().eval()
    image = {
        'inputs': torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8),
        'data_samples': sample(64, 64),
    }
    assert splits(model)
    speed = measure_speed(model, [image], repeats=1, warm_up=0)
    assert speed.network.median > 0
    assert speed.suppression.median > 0


def test_folded_norms_change_no_output() -> None:
    model = build()
    images = torch.rand(2, 3, 64, 64)
    # Statistics other than 0 and 1.
    model(images, mode='tensor')
    model.eval()
    with torch.no_grad():
        before = model(images, mode='tensor')
        after = accelerate(model)(images, mode='tensor')
    for expected, found in zip(before, after, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_lower_precision_of_the_parts_gives_float32_outputs() -> None:
    model = build().eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = model(images, mode='tensor')
        found = accelerate(model, autocast='bfloat16')(images, mode='tensor')
    for kind, full in zip(found, expected, strict=True):
        assert {x.dtype for x in kind} == {torch.float32}
        assert not any(torch.equal(x, y) for x, y in zip(kind, full, strict=True))


def test_the_classes_are_those_of_the_second_head() -> None:
    model = build()
    check_classes(model, Mock(metainfo={'classes': 'abc'}))
    with pytest.raises(DatasetError, match=r'model.bbox_head predicts 3 .* has 4 '):
        check_classes(model, Mock(metainfo={'classes': 'abcd'}))


def test_a_neck_that_changes_the_number_of_maps_is_refused() -> None:
    config = copy.deepcopy(CONFIG)
    config.neck = {
        'type': 'FPN',
        'in_channels': [16, 16],
        'out_channels': 12,
        'num_outs': 3,
    }
    with pytest.raises(ValueError, match='makes 3 maps of 2'):
        MODELS.build(config)


def test_a_neck_of_mmdet_may_stand_between_the_heads() -> None:
    config = copy.deepcopy(CONFIG)
    config.neck = {
        'type': 'FPN',
        'in_channels': [16, 16, 16],
        'out_channels': 10,
        'num_outs': 3,
    }
    losses = MODELS.build(config).loss(torch.rand(1, 3, 64, 64), [sample(64, 64)])
    assert losses['loss_cls'] > 0


def test_there_has_to_be_a_neck() -> None:
    config = copy.deepcopy(CONFIG)
    del config['neck']
    config.bbox_head.in_channels = (16, 16, 16)
    with pytest.raises(ValueError, match='needs a neck between its heads'):
        MODELS.build(config)


def test_other_heads_are_refused() -> None:
    with pytest.raises(ValueError, match='must be an ODMHead, got M2DetHead'):
        build(bbox_head={'type': 'M2DetHead'})
    wrong = {'type': 'M2DetHead', 'num_classes': 1}
    with pytest.raises(ValueError, match='must be an ARMHead, got M2DetHead'):
        build(arm_head=wrong)


def test_anchors_of_the_first_head_alone_are_refused() -> None:
    anchors = {'anchor_generator': CONFIG.bbox_head.anchor_generator}
    with pytest.raises(ValueError, match='has its own anchor_generator'):
        build(arm_head=anchors)
