import math

import numpy as np
import pytest
import torch
from mmdet.models.task_modules import MaxIoUAssigner, RandomSampler
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2det_mmdet.models.roi_heads import ConsistentSupervision, sample_rois

STRIDES = (4, 8)
TRAIN_CFG = ConfigDict(pos_weight=-1, mask_size=4)
BOX_HEAD = {
    'type': 'Shared2FCBBoxHead',
    'in_channels': 2,
    'fc_out_channels': 6,
    'roi_feat_size': 2,
    'num_classes': 3,
    'bbox_coder': {'type': 'DeltaXYWHBBoxCoder', 'target_stds': [0.1, 0.1, 0.2, 0.2]},
    'loss_cls': {'type': 'CrossEntropyLoss'},
    'loss_bbox': {'type': 'L1Loss'},
}
MASK_HEAD = {
    'type': 'FCNMaskHead',
    'num_convs': 1,
    'roi_feat_size': 2,
    'in_channels': 2,
    'conv_out_channels': 4,
    'num_classes': 3,
    'loss_mask': {'type': 'CrossEntropyLoss', 'use_mask': True},
}


def build(**config) -> ConsistentSupervision:  # noqa: ANN003
    torch.manual_seed(0)
    settings = {'bbox_head': BOX_HEAD, 'featmap_strides': STRIDES, **config}
    module = ConsistentSupervision(**settings)
    module.init_weights()
    return module


def laterals(strides: tuple[int, ...] = STRIDES) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(1, 2, 64 // s, 64 // s, requires_grad=True) for s in strides]


def objects() -> InstanceData:
    """An object of class 1, of 20 pixels, whose mask is its left half."""
    mask = np.zeros((1, 64, 64), dtype=np.uint8)
    mask[:, 20:40, 20:30] = 1
    return InstanceData(
        bboxes=torch.tensor([[20.0, 20, 40, 40]]),
        labels=torch.tensor([1]),
        masks=BitmapMasks(mask, 64, 64),
    )


def sampled(found: InstanceData, boxes: list[list[float]]) -> list[SamplingResult]:
    assigner = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.5)
    sampler = RandomSampler(num=8, pos_fraction=0.25, add_gt_as_proposals=False)
    priors = torch.tensor(boxes).view(-1, 4)
    return sample_rois([priors], assigner, sampler, [found], [None])


# Two pixels, a tenth of its width, to the left of the object; and no object.
BOXES = [[18.0, 20, 38, 40], [44, 44, 60, 60]]


def silence(*layers: nn.Module) -> None:
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def test_the_losses_of_heads_that_know_nothing() -> None:
    module = build(mask_head=MASK_HEAD)
    silence(module.bbox_head.fc_cls, module.bbox_head.fc_reg)
    silence(module.mask_head.conv_logits)
    losses = module.loss(laterals(), sampled(objects(), BOXES), [objects()], TRAIN_CFG)

    expected = {}
    for level in range(2):
        # Three classes and the background are equally likely.
        expected[f'lateral{level}.loss_cls'] = 0.25 * math.log(4)
        # The box has to move by a tenth, in units of a tenth; mean over two RoIs.
        expected[f'lateral{level}.loss_bbox'] = 0.25 * 1 / 2
        expected[f'lateral{level}.loss_mask'] = 0.25 * math.log(2)
    assert list(losses) == list(expected)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-5), name


def test_the_mask_to_learn_is_that_of_the_object_within_the_roi() -> None:
    module = build(mask_head={**MASK_HEAD, 'class_agnostic': True}, loss_weight=1.0)
    conv = module.mask_head.conv_logits
    silence(conv)
    nn.init.constant_(conv.bias, math.log(3))
    roi = sampled(objects(), [[20.0, 20, 40, 40]])
    losses = module.loss(laterals(), roi, [objects()], TRAIN_CFG)

    # Each of 4x4 cells is foreground with probability 3/4; half of them are.
    expected = (-math.log(3 / 4) - math.log(1 / 4)) / 2
    for level in range(2):
        loss = losses[f'lateral{level}.loss_mask'].item()
        assert loss == pytest.approx(expected, rel=1e-5)


def test_one_head_serves_all_levels() -> None:
    module = build(loss_weight=1.0)
    maps = laterals()
    roi = sampled(objects(), BOXES)
    both = module.loss(maps, roi, [objects()], TRAIN_CFG)
    single = build(featmap_strides=(8,), loss_weight=1.0)
    single.load_state_dict(module.state_dict())
    alone = single.loss(maps[1:], roi, [objects()], TRAIN_CFG)

    for name in ('loss_cls', 'loss_bbox'):
        torch.testing.assert_close(both[f'lateral1.{name}'], alone[f'lateral0.{name}'])
        assert not torch.equal(both[f'lateral0.{name}'], both[f'lateral1.{name}'])


def test_the_weight_multiplies_every_loss() -> None:
    modules = [build(mask_head=MASK_HEAD, loss_weight=weight) for weight in (1, 0.25)]
    full, quarter = (
        module.loss(laterals(), sampled(objects(), BOXES), [objects()], TRAIN_CFG)
        for module in modules
    )
    assert len(full) == 6
    for name, loss in full.items():
        assert loss.item() > 0
        torch.testing.assert_close(quarter[name], loss / 4)


def test_gradient_reaches_the_heads() -> None:
    module = build(mask_head=MASK_HEAD)
    found = sampled(objects(), BOXES)
    losses = module.loss(laterals(), found, [objects()], TRAIN_CFG)
    sum(losses.values()).backward()

    assert [n for n, p in module.named_parameters() if not p.grad.any()] == []


@pytest.mark.parametrize('kind', ['loss_cls', 'loss_bbox', 'loss_mask'])
def test_each_loss_teaches_every_lateral(kind: str) -> None:
    module = build(mask_head=MASK_HEAD)
    maps = laterals()
    losses = module.loss(maps, sampled(objects(), BOXES), [objects()], TRAIN_CFG)
    sum(loss for name, loss in losses.items() if name.endswith(kind)).backward()

    assert all(x.grad is not None and x.grad.any() for x in maps)


def test_masks_are_pooled_from_the_rois_not_from_the_objects() -> None:
    module = build(mask_head=MASK_HEAD)
    seen = []
    module.pool_masks.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    module.loss(laterals(), sampled(objects(), BOXES), [objects()], TRAIN_CFG)

    assert [rois.tolist() for rois in seen] == [[[0, *BOXES[0]]]]


def test_the_sampling_ratio_is_that_of_boxes_and_masks() -> None:
    module = build(mask_head=MASK_HEAD, sampling_ratio=3)
    layers = [*module.pool_boxes.roi_layers, *module.pool_masks.roi_layers]

    assert [layer.sampling_ratio for layer in layers] == [3, 3, 3, 3]


def test_objects_weigh_as_the_second_stage_says() -> None:
    module = build(loss_weight=1.0)
    silence(module.bbox_head.fc_cls, module.bbox_head.fc_reg)
    with torch.no_grad():
        module.bbox_head.fc_cls.bias[1] = math.log(3)
    cfg = ConfigDict(pos_weight=3)
    losses = module.loss(laterals(), sampled(objects(), BOXES), [objects()], cfg)

    # Class 1 has a probability of 3/6, background 1/6; mean over two RoIs.
    expected = (3 * math.log(2) + math.log(6)) / 2
    assert losses['lateral0.loss_cls'].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('boxes', [BOXES, []])
def test_without_objects_or_rois_there_are_the_same_losses(boxes: list) -> None:
    nothing = objects()[:0]
    module = build(mask_head=MASK_HEAD)
    losses = module.loss(laterals(), sampled(nothing, boxes), [nothing], TRAIN_CFG)
    sum(losses.values()).backward()

    assert len(losses) == 6
    for name, loss in losses.items():
        assert (loss > 0) == (bool(boxes) and name.endswith('cls')), name
    assert all(p.grad is not None for p in module.parameters())


def test_losses_under_other_names_count_too() -> None:
    # Seesaw loss tells objects from background apart from its classes.
    loss_cls = {'type': 'SeesawLoss', 'num_classes': 3, 'p': 0.0, 'q': 0.0}
    module = build(bbox_head={**BOX_HEAD, 'loss_cls': loss_cls}, loss_weight=1.0)
    silence(module.bbox_head.fc_cls, module.bbox_head.fc_reg)
    losses = module.loss(laterals(), sampled(objects(), BOXES), [objects()], TRAIN_CFG)

    assert losses['lateral1.loss_cls_objectness'].item() == pytest.approx(math.log(2))
    # Of two RoIs one shows an object, of one of three classes.
    classes = losses['lateral1.loss_cls_classes'].item()
    assert classes == pytest.approx(math.log(3) / 2)
    assert 'lateral1.loss_cls' not in losses
    # Other processes may have RoIs: the names have to agree.
    none = module.loss(laterals(), sampled(objects(), []), [objects()], TRAIN_CFG)
    assert none.keys() == losses.keys()
    assert not any(none.values())


def test_the_box_head_at_80_classes_and_256_channels() -> None:
    head = {
        **BOX_HEAD,
        'in_channels': 256,
        'fc_out_channels': 1024,
        'roi_feat_size': 7,
        'num_classes': 80,
    }
    with torch.device('meta'):
        module = ConsistentSupervision(head, (4, 8, 16, 32))

    # The release counts 14 310 805: its mmdet also regresses boxes of the background.
    background = 4 * (1024 + 1)
    assert sum(p.numel() for p in module.parameters()) == 14_310_805 - background


def test_a_lateral_without_a_stride_is_named() -> None:
    module = build()
    with pytest.raises(ValueError, match=r'pools from 2 levels .*4, 8.* got 3 maps'):
        module.loss(
            laterals((4, 8, 16)), sampled(objects(), BOXES), [objects()], TRAIN_CFG
        )
