import copy
import math
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from m2det_mmdet.models.dense_heads import ODMHead

SHIPPED = Config.fromfile(
    Path(__file__).parents[3] / 'configs' / '_base_' / 'models' / 'refinedet_vgg.py'
)
# One map of 2x2 cells of 8 pixels, one square of 8 pixels in each.
META = {'img_shape': (16, 16), 'scale_factor': (0.5, 0.5)}
CONFIG = ConfigDict(
    type='ODMHead',
    num_classes=2,
    in_channels=(3,),
    anchor_generator={
        'type': 'RefineDetAnchorGenerator',
        'input_size': 16,
        'strides': [8],
        'scale': 1,
        'ratios': [],
    },
    bbox_coder={'type': 'SSDBBoxCoder'},
    train_cfg=SHIPPED.model.train_cfg,
    test_cfg={
        'score_thr': 0.05,
        'nms': {'type': 'nms', 'iou_threshold': 0.45},
        'max_per_img': 10,
    },
)
BACKGROUND = [0.0, 0.0, 20.0]
CLASS_1 = [0.0, 20.0, 0.0]
# Objectness of 0.95 and, filtered, of 0.005.
OPEN, CLOSED = math.log(19), math.log(0.005 / 0.995)
# Objectness of 0.009 and 0.011, below and above the default threshold.
BELOW, ABOVE = math.log(0.009 / 0.991), math.log(0.011 / 0.989)


def build(**train_cfg: object) -> ODMHead:
    config = copy.deepcopy(CONFIG)
    config.train_cfg.update(train_cfg)
    return MODELS.build(config)


def outputs(
    scores: list[list[float]], objectness: list[float], arm_deltas: list[list[float]]
) -> tuple[list[Tensor], ...]:
    """Maps of four cells with scores, no deltas, and outputs of the first head."""
    arm = torch.tensor([objectness, [0.0] * 4]).view(1, 2, 2, 2)
    return (
        [torch.tensor(scores).T.reshape(1, 3, 2, 2)],
        [torch.zeros(1, 4, 2, 2)],
        [arm],
        [torch.tensor(arm_deltas).T.reshape(1, 4, 2, 2)],
    )


def objects(*boxes: list[float], label: int = 1) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4).float(),
        labels=torch.full((len(boxes),), label, dtype=torch.long),
    )


# 4 pixels to the right: the second square, (8, 0, 16, 8), becomes (12, 0, 20, 8).
SHIFT = 4 / 8 / 0.1
STILL, MOVED = [0.0] * 4, [SHIFT, 0.0, 0.0, 0.0]


def test_it_passes_on_what_the_first_head_predicts() -> None:
    arm = [torch.rand(1, 2, 2, 2)], [torch.rand(1, 4, 2, 2)]
    scores, deltas, *passed = build()(([torch.rand(1, 3, 2, 2)], *arm))

    assert tuple(scores[0].shape) == (1, 3, 2, 2)
    assert tuple(deltas[0].shape) == (1, 4, 2, 2)
    assert passed[0] is arm[0]
    assert passed[1] is arm[1]


def test_matches_and_targets_are_relative_to_the_refined_anchors() -> None:
    maps = outputs([BACKGROUND] * 4, [OPEN] * 4, [STILL, MOVED, STILL, STILL])
    # On the moved square, with which the first one shares nothing.
    losses = build().loss_by_feat(*maps, [objects([12, 0, 20, 8])], [META])

    assert losses['loss_bbox'].item() == pytest.approx(0, abs=1e-6)
    positive = math.log(2 + math.exp(20))
    negatives = 3 * math.log1p(2 * math.exp(-20))
    assert losses['loss_cls'].item() == pytest.approx(positive + negatives, rel=1e-6)
    # One pixel further to the right.
    losses = build().loss_by_feat(*maps, [objects([13, 0, 21, 8])], [META])
    target = 1 / 8 / 0.1
    assert losses['loss_bbox'].item() == pytest.approx(target - 0.5, rel=1e-5)


@pytest.mark.parametrize(
    ('rule', 'expected'),
    [
        # The first square is positive; of the others the hardest count.
        ('drop', 20.0),
        # The filtered square is mined, and learns the class of its object.
        ('positives', 40.0),
    ],
)
def test_filtered_anchors_leave_both_sets_or_the_positives_alone(
    rule: str, expected: float
) -> None:
    maps = outputs([BACKGROUND] * 4, [OPEN, CLOSED, OPEN, OPEN], [STILL] * 4)
    truth = [objects([0, 0, 8, 8], [8, 0, 16, 8])]
    losses = build(filter_rule=rule).loss_by_feat(*maps, truth, [META])

    assert losses['loss_cls'].item() == pytest.approx(expected, abs=1e-4)


def test_filtered_background_is_mined_by_the_rule_of_the_port_alone() -> None:
    # The last square takes background for class 1.
    scores = [BACKGROUND, BACKGROUND, BACKGROUND, CLASS_1]
    maps = outputs(scores, [OPEN, OPEN, OPEN, CLOSED], [STILL] * 4)
    losses = {
        rule: build(filter_rule=rule).loss_by_feat(
            *maps, [objects([0, 0, 8, 8])], [META]
        )
        for rule in ('drop', 'positives')
    }
    costs = {rule: found['loss_cls'].item() for rule, found in losses.items()}

    assert costs['positives'] - costs['drop'] == pytest.approx(20, abs=1e-4)


def test_nothing_is_lost_where_every_positive_is_filtered() -> None:
    maps = outputs([BACKGROUND] * 4, [CLOSED] * 4, [STILL] * 4)
    losses = build().loss_by_feat(*maps, [objects([0, 0, 8, 8])], [META])

    assert {name: value.item() for name, value in losses.items()} == {
        'loss_cls': 0,
        'loss_bbox': 0,
    }


def test_without_a_threshold_no_anchor_is_filtered() -> None:
    maps = outputs([BACKGROUND] * 4, [CLOSED] * 4, [STILL] * 4)
    head = build(objectness_thr=None)
    losses = head.loss_by_feat(*maps, [objects([0, 0, 8, 8])], [META])

    assert losses['loss_cls'].item() == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize(('threshold', 'cost'), [(0.5, 0), (0.49, 20)])
def test_an_anchor_at_the_threshold_is_filtered(threshold: float, cost: float) -> None:
    maps = outputs([BACKGROUND] * 4, [0.0] * 4, [STILL] * 4)
    head = build(objectness_thr=threshold)
    losses = head.loss_by_feat(*maps, [objects([0, 0, 8, 8])], [META])

    assert losses['loss_cls'].item() == pytest.approx(cost, abs=1e-4)


def test_the_threshold_of_training_is_a_hundredth_by_default() -> None:
    config = copy.deepcopy(CONFIG)
    del config.train_cfg.objectness_thr
    maps = outputs([BACKGROUND] * 4, [BELOW, ABOVE] * 2, [STILL] * 4)
    truth = [objects([0, 0, 8, 8], [8, 0, 16, 8])]
    losses = MODELS.build(config).loss_by_feat(*maps, truth, [META])

    # One of both objects is learned.
    assert losses['loss_cls'].item() == pytest.approx(20, abs=1e-4)


def test_the_threshold_of_a_test_is_a_hundredth_by_default() -> None:
    assert 'objectness_thr' not in CONFIG.test_cfg
    maps = outputs([CLASS_1] * 4, [BELOW, ABOVE] * 2, [STILL] * 4)
    (found,) = build().predict_by_feat(*maps, batch_img_metas=[META])

    assert sorted(found.bboxes.tolist()) == [[8, 0, 16, 8], [8, 8, 16, 16]]


@pytest.mark.parametrize(('width', 'cost'), [(16, 60), (8, 20)])
def test_refined_anchors_of_padding_take_no_part(width: int, cost: float) -> None:
    # The squares on the right say class 1, the first one misses its object.
    maps = outputs([BACKGROUND, CLASS_1] * 2, [OPEN] * 4, [STILL] * 4)
    meta = {**META, 'img_shape': (16, width), 'batch_input_shape': (16, 16)}
    losses = build().loss_by_feat(*maps, [objects([0, 0, 8, 8])], [meta])

    assert losses['loss_cls'].item() == pytest.approx(cost, abs=1e-3)


def test_refined_anchors_within_a_crowd_cost_nothing() -> None:
    # The second square says class 1 where it has moved.
    scores = [BACKGROUND, CLASS_1, BACKGROUND, BACKGROUND]
    maps = outputs(scores, [OPEN] * 4, [STILL, MOVED, STILL, STILL])
    truth = [objects([0, 0, 8, 8])]
    crowds = {
        'there': [InstanceData(bboxes=torch.tensor([[12.0, 0.0, 20.0, 8.0]]))],
        'where it was': [InstanceData(bboxes=torch.tensor([[8.0, 0.0, 11.0, 8.0]]))],
    }
    costs = {
        place: build().loss_by_feat(*maps, truth, [META], crowd)['loss_cls'].item()
        for place, crowd in crowds.items()
    }

    assert costs['where it was'] - costs['there'] == pytest.approx(20, abs=1e-4)


def test_detections_are_decoded_twice_and_filtered() -> None:
    # Both on the right are moved; the lower one is filtered.
    scores = [BACKGROUND, CLASS_1, BACKGROUND, CLASS_1]
    maps = outputs(scores, [OPEN, OPEN, OPEN, CLOSED], [STILL, MOVED, STILL, MOVED])
    maps[1][0][0, 1, 0, 1] = 2 / 8 / 0.1
    head = build()
    (found,) = head.predict_by_feat(*maps, batch_img_metas=[META], rescale=True)

    # Two pixels down, by the second deltas; in pixels of the image of twice the size.
    torch.testing.assert_close(found.bboxes, torch.tensor([[24.0, 4.0, 40.0, 20.0]]))
    assert found.labels.tolist() == [1]
    everything = head.predict_by_feat(
        *maps,
        batch_img_metas=[META],
        cfg=ConfigDict({**head.test_cfg, 'objectness_thr': None}),
    )
    assert everything[0].bboxes.tolist() == [[12, 2, 20, 10], [12, 8, 20, 16]]


def test_soft_nms_weakens_boxes_that_met_by_refinement() -> None:
    # The first square moves onto the second one.
    moved = [2 * SHIFT, 0.0, 0.0, 0.0]
    scores = [[0.0, 9.0, 0.0], CLASS_1, BACKGROUND, BACKGROUND]
    maps = outputs(scores, [OPEN] * 4, [moved, STILL, STILL, STILL])
    head = build()
    soft = {'type': 'soft_nms', 'iou_threshold': 0.3, 'min_score': 0.01}
    for nms, count in ((soft, 1), (None, 2)):
        cfg = ConfigDict({**head.test_cfg, 'nms': nms})
        (found,) = head.predict_by_feat(*maps, batch_img_metas=[META], cfg=cfg)
        assert found.bboxes.tolist() == [[8, 0, 16, 8]] * count


@pytest.mark.parametrize(('with_nms', 'count'), [(True, 1), (False, 2)])
def test_boxes_that_met_by_refinement_stay_without_suppression(
    with_nms: bool, count: int
) -> None:
    moved = [2 * SHIFT, 0.0, 0.0, 0.0]
    scores = [[0.0, 9.0, 0.0], CLASS_1, BACKGROUND, BACKGROUND]
    maps = outputs(scores, [OPEN] * 4, [moved, STILL, STILL, STILL])
    (found,) = build().predict_by_feat(*maps, batch_img_metas=[META], with_nms=with_nms)

    assert found.bboxes.tolist() == [[8, 0, 16, 8]] * count


def test_the_strongest_of_each_class_reach_the_suppression() -> None:
    scores = [CLASS_1, [0.0, 9.0, 0.0], [9.0, 0.0, 0.0], BACKGROUND]
    maps = outputs(scores, [OPEN] * 4, [STILL] * 4)
    head = build()
    cfg = ConfigDict({**head.test_cfg, 'nms_pre_per_class': 1})
    (found,) = head.predict_by_feat(*maps, batch_img_metas=[META], cfg=cfg)

    assert found.labels.tolist() == [1, 0]
    assert found.bboxes.tolist() == [[0, 0, 8, 8], [0, 8, 8, 16]]


def test_unknown_rules_and_thresholds_are_named() -> None:
    with pytest.raises(ValueError, match=r"one of \('drop', 'positives'\), got 'all'"):
        build(filter_rule='all')
    with pytest.raises(ValueError, match=r'train_cfg.objectness_thr .* got 2'):
        build(objectness_thr=2)
    with pytest.raises(ValueError, match=r"train_cfg.objectness_thr .* got '0.01'"):
        build(objectness_thr='0.01')
    config = copy.deepcopy(CONFIG)
    config.test_cfg.objectness_thr = -1
    with pytest.raises(ValueError, match=r'test_cfg.objectness_thr .* got -1'):
        MODELS.build(config)
