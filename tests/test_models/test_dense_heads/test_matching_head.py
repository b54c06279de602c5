"""Heads with other losses, assigners and towers than SSD's."""

import math

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from m2det_mmdet.models.dense_heads import ARMHead, M2DetHead, ODMHead

# Two scales of an image of 16x16: four cells, each with a square of 4 pixels and one of
# sqrt(32) around it, and a cell with two squares of 8 pixels: ten anchors.
META = {'img_shape': (16, 16), 'scale_factor': (1.0, 1.0)}
ANCHORS = {
    'type': 'M2DetAnchorGenerator',
    'input_size': 16,
    'sizes': [0.25, 0.5, 0.5],
    'ratios': [[], []],
}
MAX_IOU = {'type': 'MaxIoUAssigner', 'pos_iou_thr': 0.5, 'neg_iou_thr': 0.5}
# IoU 16 / 19.36 with the first anchor, (2, 2, 6, 6), and 19.36 / 32 with the other one.
OBJECT = [2.0, 2.0, 6.4, 6.4]
OVERLAPS = (16 / 19.36, 19.36 / 32)
LOG_2 = math.log(2)


def build(
    loss_cls: str = 'FocalLoss',
    loss_bbox: str = 'GIoULoss',
    assigner: dict = MAX_IOU,
    head: str = 'M2DetHead',
    **settings: object,
) -> M2DetHead:
    keys = (
        'in_channels',
        'num_shared_convs',
        'feat_channels',
        'num_classes',
        'norm_cfg',
    )
    given = {key: settings.pop(key) for key in keys if key in settings}
    config = {
        'type': head,
        'num_classes': 2,
        'in_channels': (3, 3),
        'anchor_generator': ANCHORS,
        'bbox_coder': {'type': 'SSDBBoxCoder'},
        'loss_cls': {'type': loss_cls},
        'loss_bbox': {'type': loss_bbox},
        'train_cfg': {'assigner': assigner, **settings},
        'test_cfg': {'score_thr': 0.3, 'nms': None},
        **given,
    }
    if head == 'ARMHead':
        del config['num_classes']
    return MODELS.build(ConfigDict(config))


def outputs(num_images: int = 1, classes: int = 2) -> tuple[list[Tensor], list[Tensor]]:
    """Scores and deltas of zero."""
    return (
        [torch.zeros(num_images, 2 * classes, n, n) for n in (2, 1)],
        [torch.zeros(num_images, 8, n, n) for n in (2, 1)],
    )


def objects(*boxes: list[float], label: int = 0) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4).float(),
        labels=torch.full((len(boxes),), label, dtype=torch.long),
    )


def losses_of(
    head: M2DetHead, *truths: InstanceData, **settings: object
) -> tuple[float, float]:
    losses = head.loss_by_feat(
        *outputs(len(truths)), list(truths), [META] * len(truths), **settings
    )
    return losses['loss_cls'].item(), losses['loss_bbox'].item()


def test_focal_loss_counts_all_anchors_and_is_divided_by_the_positives() -> None:
    cost, _ = losses_of(build(), objects(OBJECT))
    # Of ten anchors with two classes, two are positive in one class: (1 - p)^2 = 1 / 4.
    expected = (18 * 0.75 + 2 * 0.25) / 4 * LOG_2 / 2
    assert cost == pytest.approx(expected, rel=1e-5)


def test_an_iou_loss_compares_decoded_boxes() -> None:
    _, cost = losses_of(build(), objects(OBJECT))
    # One box lies in the other, so that the GIoU is the IoU.
    assert cost == pytest.approx(1 - sum(OVERLAPS) / 2, rel=1e-5)


def test_encoded_boxes_may_be_compared_by_another_loss() -> None:
    _, cost = losses_of(build(loss_bbox='L1Loss'), objects(OBJECT))
    square = math.sqrt(32)
    targets = [0.2 / 4 / 0.1, math.log(1.1) / 0.2]
    targets += [0.2 / square / 0.1, math.log(4.4 / square) / 0.2]
    assert cost == pytest.approx(sum(map(abs, targets)), rel=1e-5)


@pytest.mark.parametrize('loss_bbox', ['GIoULoss', 'SmoothL1Loss'])
def test_a_positive_learns_its_quality_and_weighs_as_much(loss_bbox: str) -> None:
    head = build('QualityFocalLoss', loss_bbox)
    cost, boxes = losses_of(head, objects(OBJECT))

    total = sum(OVERLAPS)
    assert head.num_positives.item() == pytest.approx(total, rel=1e-5)
    expected = 18 / 4 + sum((q - 0.5) ** 2 for q in OVERLAPS)
    assert cost == pytest.approx(expected * LOG_2 / total, rel=1e-4)
    if loss_bbox == 'GIoULoss':
        weighed = sum(q * (1 - q) for q in OVERLAPS)
        assert boxes == pytest.approx(weighed / total, rel=1e-4)


def test_the_quality_is_that_of_the_predicted_box() -> None:
    head = build('VarifocalLoss')
    scores, deltas = outputs()
    # The first anchor, (2, 2, 6, 6), becomes the object.
    deltas[0][0, :4, 0, 0] = torch.tensor(
        [0.2 / 4 / 0.1, 0.2 / 4 / 0.1, math.log(1.1) / 0.2, math.log(1.1) / 0.2]
    )
    losses = head.loss_by_feat(scores, deltas, [objects(OBJECT)], [META])

    assert head.num_positives.item() == pytest.approx(1 + OVERLAPS[1], rel=1e-4)
    weighed = OVERLAPS[1] * (1 - OVERLAPS[1]) / (1 + OVERLAPS[1])
    assert losses['loss_bbox'].item() == pytest.approx(weighed, rel=1e-3)


def test_the_quality_of_a_task_aligned_match_is_relative_to_the_best() -> None:
    assigner = {'type': 'TaskAlignedAssigner', 'topk': 2}
    head = build('QualityFocalLoss', assigner=assigner, alpha=0.5, beta=2.0)
    losses_of(head, objects(OBJECT))

    # Both scores are one half: the metrics are as the squares of the IoUs.
    second = OVERLAPS[0] * (OVERLAPS[1] / OVERLAPS[0]) ** 2
    total = OVERLAPS[0] + second
    assert head.num_positives.item() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize('loss_cls', ['FocalLoss', 'QualityFocalLoss', 'VarifocalLoss'])
def test_a_batch_costs_what_its_images_cost_alone(loss_cls: str) -> None:
    head = build(loss_cls)
    truths = [objects(OBJECT), objects([4, 4, 12, 12], [9, 9, 15, 15], label=1)]
    alone, shares = [], []
    for truth in truths:
        alone.append(torch.tensor(losses_of(head, truth)))
        shares.append(head.num_positives)
    together = torch.tensor(losses_of(head, *truths))

    # What `BatchWeights` counts on.
    torch.testing.assert_close(head.num_positives, sum(shares))
    expected = sum(x * y for x, y in zip(alone, shares, strict=True)) / sum(shares)
    torch.testing.assert_close(together, expected)


def test_images_without_objects_teach_the_background() -> None:
    cost, boxes = losses_of(build(), objects())
    assert cost == pytest.approx(20 * 0.75 / 4 * LOG_2, rel=1e-5)
    assert boxes == 0


def test_negatives_within_a_crowd_cost_nothing() -> None:
    head = build(ignore_iof_thr=0.5)
    crowd = [InstanceData(bboxes=torch.tensor([[8.0, 8.0, 16.0, 16.0]]))]
    free, _ = losses_of(head, objects(OBJECT))
    spared, _ = losses_of(head, objects(OBJECT), batch_gt_instances_ignore=crowd)
    # The two anchors of the last cell, of two classes each, among two positives.
    assert free - spared == pytest.approx(4 * 0.75 / 4 * LOG_2 / 2, rel=1e-4)


@pytest.mark.parametrize('kind', ['SimOTAAssigner', 'TaskAlignedAssigner'])
def test_assigners_by_predictions_take_objects_of_another_precision(kind: str) -> None:
    topk = {'topk': 2} if kind == 'TaskAlignedAssigner' else {}
    head = build(
        assigner={'type': kind, **topk}, alpha=1, beta=6, loss_bbox='SmoothL1Loss'
    )
    truth = objects(OBJECT)
    expected = losses_of(head, truth)
    truth.bboxes = truth.bboxes.double()

    assert losses_of(head, truth) == expected


@pytest.mark.parametrize('kind', ['SimOTAAssigner', 'DynamicSoftLabelAssigner'])
def test_the_best_prediction_is_chosen(kind: str) -> None:
    head = build(assigner={'type': kind})
    maps = outputs()
    # Of the anchors in the middle the second one lies on the object, and says so.
    truth = [objects([4, 4, 12, 12], label=1)]
    maps[0][1][0, 3] = 3.0
    maps[0][1][0, 2] = -3.0
    maps[1][1][0, 0] = 20.0
    scores = [x.requires_grad_() for x in maps[0]]
    head.loss_by_feat(scores, maps[1], truth, [META])['loss_cls'].backward()

    assert head.num_positives == 1
    # The chosen anchor's score of class 1 alone is pushed up.
    assert (torch.cat([x.grad.flatten() for x in scores]) < 0).sum() == 1
    assert scores[1].grad[0, 3] < 0


def test_atss_counts_the_anchors_of_an_image_at_each_scale() -> None:
    counts = []
    head = build(assigner={'type': 'ATSSAssigner', 'topk': 1})
    assign = head.assigner.assign

    def record(candidates: InstanceData, num_level_priors: list, **rest: object):  # noqa: ANN202
        counts.append(num_level_priors)
        return assign(candidates, num_level_priors, **rest)

    head.assigner.assign = record
    meta = {'img_shape': (16, 8), 'batch_input_shape': (16, 16)}
    head.loss_by_feat(*outputs(2), [objects(OBJECT)] * 2, [META, meta])

    # The right half of the second image is padding.
    assert counts == [[8, 2], [4, 2]]


def test_softmax_takes_part_in_an_assignment_by_scores() -> None:
    assigner = {'type': 'TaskAlignedAssigner', 'topk': 1}
    head = build('CrossEntropyLoss', assigner=assigner)
    maps = outputs(classes=3)
    losses = head.loss_by_feat(*maps, [objects(OBJECT)], [META])

    # One positive, and the hardest three of nine others, by default.
    assert losses['loss_cls'].item() == pytest.approx(4 * math.log(3), rel=1e-5)
    assert losses['loss_bbox'].item() == pytest.approx(1 - OVERLAPS[0], rel=1e-5)


def test_scores_that_are_no_numbers_reach_the_loss() -> None:
    head = build(assigner={'type': 'SimOTAAssigner'})
    scores, deltas = outputs()
    scores[0][:] = math.nan
    losses = head.loss_by_feat(scores, deltas, [objects(OBJECT)], [META])
    assert losses['loss_cls'].isnan()


def test_boxes_of_background_anchors_may_be_infinite() -> None:
    head = build('VarifocalLoss')
    scores, deltas = ([x.requires_grad_() for x in maps] for maps in outputs())
    with torch.no_grad():
        deltas[0][0, 2, 1, 1] = 1e6
    losses = head.loss_by_feat(scores, deltas, [objects(OBJECT)], [META])
    sum(losses.values()).backward()

    assert all(x.grad.isfinite().all() for x in (*scores, *deltas))
    assert deltas[0].grad[0, :4, 0, 0].abs().sum() > 0


def test_detections_have_the_score_of_the_sigmoid() -> None:
    head = build()
    scores, deltas = outputs()
    scores = [x - 5 for x in scores]
    scores[1][0, 1] = math.log(4)
    (found,) = head.predict_by_feat(scores, deltas, batch_img_metas=[META])

    assert found.labels.tolist() == [1]
    torch.testing.assert_close(found.scores, torch.tensor([0.8]))
    assert found.bboxes.tolist() == [[4, 4, 12, 12]]


def test_every_class_begins_with_a_hundredth() -> None:
    head = build(num_shared_convs=1)
    head.init_weights()
    scores, _ = head([torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 1, 1)])

    assert [tuple(x.shape) for x in scores] == [(1, 4, 2, 2), (1, 4, 1, 1)]
    for x in scores:
        torch.testing.assert_close(x.sigmoid(), torch.full_like(x, 0.01))


def test_shared_convolutions_come_before_those_that_predict() -> None:
    head = build(num_shared_convs=2, norm_cfg={'type': 'BN'})
    maps = [torch.randn(1, 3, 2, 2), torch.randn(1, 3, 1, 1)]
    head.eval()
    scores, deltas = head(maps)

    shared = head.shared_convs(maps)
    assert torch.equal(scores[1], head.cls_convs[1](shared[1]))
    assert torch.equal(deltas[0], head.reg_convs[0](shared[0]))
    assert head.in_channels == (3, 3)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {
                'loss_cls': 'CrossEntropyLoss',
                'assigner': {'type': 'DynamicSoftLabelAssigner'},
            },
            'DynamicSoftLabelAssigner, which needs scores of a sigmoid',
        ),
        (
            {'rank_by_shifted_scores': True},
            'rank_by_shifted_scores=True, .* but loss_cls is FocalLoss',
        ),
        ({'loss_bbox': 'FocalLoss'}, 'loss_bbox.type must be one of'),
        ({'loss_cls': 'L1Loss'}, 'loss_cls.type must be one of'),
        ({'num_shared_convs': -1}, 'num_shared_convs must be .* from 0 on, got -1'),
        ({'num_shared_convs': '2'}, "from 0 on, got '2'"),
        ({'feat_channels': 0}, 'feat_channels must be .* from 1 on, got 0'),
        ({'num_classes': 0}, 'num_classes must be .* from 1 on, got 0'),
        ({'assigner': None}, "train_cfg.assigner must be a dict .*'type', got None"),
        ({'assigner': {'topk': 9}}, "train_cfg.assigner must be .* got {'topk': 9}"),
        (
            {'num_shared_convs': 1, 'in_channels': (3, 6)},
            r'maps of equal channels, got \[3, 6\]',
        ),
        (
            {'head': 'ODMHead', 'filter_rule': 'positives'},
            "filter_rule='positives' .* but loss_cls is FocalLoss, which mines none",
        ),
        ({'head': 'ARMHead'}, 'loss_cls of the ARMHead is FocalLoss, but .* softmax'),
    ],
)
def test_what_does_not_fit_stops_when_built(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**changes)


def refined(objectness: list[float]) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of a first head with the objectness of the large anchors."""
    scores = [torch.zeros(1, 4, n, n) for n in (2, 1)]
    scores[1][0, ::2, 0, 0] = torch.tensor(objectness).logit()
    return scores, outputs()[1]


@pytest.mark.parametrize(
    'assigner',
    [MAX_IOU, {'type': 'SimOTAAssigner'}, {'type': 'ATSSAssigner', 'topk': 1}],
)
def test_filtered_anchors_weigh_nothing(assigner: dict) -> None:
    head = build(head='ODMHead', assigner=assigner)
    assert isinstance(head, ODMHead)
    costs = [
        head.loss_by_feat(*outputs(), *refined(scores), [objects()], [META])
        for scores in ([0.5, 0.5], [0.5, 0.001])
    ]
    free, filtered = (x['loss_cls'].item() for x in costs)
    # One anchor of two classes.
    assert free - filtered == pytest.approx(2 * 0.75 / 4 * LOG_2, rel=1e-4)


def test_the_refined_anchors_are_matched_and_decoded() -> None:
    head = build('QualityFocalLoss', head='ODMHead')
    scores, deltas = refined([0.5, 0.5])
    # A width to the right.
    deltas[1][0, 0] = 10.0
    truth = [objects([12, 4, 20, 12])]
    losses = head.loss_by_feat(*outputs(), scores, deltas, truth, [META])

    assert head.num_positives.item() == pytest.approx(1, rel=1e-5)
    assert losses['loss_bbox'].item() == pytest.approx(0, abs=1e-5)


def test_the_first_head_takes_another_loss_of_boxes() -> None:
    head = build('CrossEntropyLoss', head='ARMHead')
    assert isinstance(head, ARMHead)
    maps = outputs(classes=2)
    losses = head.loss_by_feat(*maps, [objects(OBJECT, label=1)], [META])
    assert losses['loss_bbox'].item() == pytest.approx(1 - sum(OVERLAPS) / 2, rel=1e-5)
