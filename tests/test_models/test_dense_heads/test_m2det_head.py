import math

import pytest
import torch
from mmcv.ops import batched_nms
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from m2det_mmdet.models.dense_heads import M2DetHead
from m2det_mmdet.models.utils.suppression import strongest, suppression_options
from m2det_mmdet.ops import multiclass_soft_nms

# Two scales of one image of 16x16: four cells of 4-pixel squares, one of 8 pixels;
# without ratios the second square of a cell is sqrt(4 * 8) and 8 pixels large.
META = {'img_shape': (16, 16), 'scale_factor': (0.5, 0.25)}
SQUARE = math.sqrt(32)


GENERATOR = {
    'type': 'M2DetAnchorGenerator',
    'input_size': 16,
    'sizes': [0.25, 0.5, 0.5],
    'ratios': [[], []],
}


def build(**changes: object) -> M2DetHead:
    config = {
        'type': 'M2DetHead',
        'num_classes': 2,
        'in_channels': (3, 3),
        'anchor_generator': GENERATOR,
        'bbox_coder': {
            'type': 'DeltaXYWHBBoxCoder',
            'target_stds': [0.1, 0.1, 0.2, 0.2],
        },
        'train_cfg': {
            'assigner': {
                'type': 'MaxIoUAssigner',
                'pos_iou_thr': 0.5,
                'neg_iou_thr': 0.5,
                'min_pos_iou': 0.0,
                'gt_max_assign_all': False,
            },
            'ignore_iof_thr': 0.5,
            'sampler': {'type': 'PseudoSampler'},
            'smoothl1_beta': 1.0,
            'allowed_border': -1,
            'pos_weight': -1,
            'neg_pos_ratio': 3,
        },
        'test_cfg': {
            'score_thr': 0.05,
            'nms': {'type': 'soft_nms', 'iou_threshold': 0.3},
            'max_per_img': 100,
        },
    }
    return MODELS.build(ConfigDict({**config, **changes}))


def outputs(num_images: int = 1) -> tuple[list[Tensor], list[Tensor]]:
    """Scores that say background and deltas of zero, for both scales."""
    background = torch.tensor([0.0, 0.0, 20.0]).repeat(2)[None, :, None, None]
    scores = [background.repeat(num_images, 1, n, n) for n in (2, 1)]
    deltas = [torch.zeros(num_images, 8, n, n) for n in (2, 1)]
    return scores, deltas


def objects(*boxes: list[float], label: int = 0) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4).float(),
        labels=torch.full((len(boxes),), label, dtype=torch.long),
    )


def test_forward_gives_classes_and_boxes_of_each_anchor() -> None:
    scores, deltas = build()([torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 1, 1)])

    assert [tuple(x.shape) for x in scores] == [(1, 6, 2, 2), (1, 6, 1, 1)]
    assert [tuple(x.shape) for x in deltas] == [(1, 8, 2, 2), (1, 8, 1, 1)]


def test_losses_are_divided_by_the_positives_of_the_whole_batch() -> None:
    head = build()
    scores, deltas = (
        [x.requires_grad_() for x in maps] for maps in outputs(num_images=2)
    )
    truth = [objects([2, 2, 6.4, 6.4]), objects()]
    losses = head.loss_by_feat(scores, deltas, truth, [META] * 2)

    # Two positives: IoU 16 / 19.36 with the first anchor, (2, 2, 6, 6), and
    # 19.36 / 32 with the square around it. Each costs log(2 + e^20), each of their
    # six negatives log(1 + 2 e^-20).
    positive = math.log(2 + math.exp(20))
    negative = math.log1p(2 * math.exp(-20))
    expected = (2 * positive + 6 * negative) / 2
    assert losses['loss_cls'].item() == pytest.approx(expected, rel=1e-6)
    # Two equal shifts and two equal scalings for each of them.
    targets = [0.2 / 4 / 0.1, math.log(4.4 / 4) / 0.2]
    targets += [0.2 / SQUARE / 0.1, math.log(4.4 / SQUARE) / 0.2]
    smooth_l1 = [0.5 * t**2 if abs(t) < 1 else abs(t) - 0.5 for t in targets]
    assert losses['loss_bbox'].item() == pytest.approx(sum(smooth_l1), rel=1e-5)

    sum(losses.values()).backward()
    assert not scores[0].grad[1].any()
    assert not scores[1].grad[1].any()


def test_a_batch_without_objects_has_zero_loss() -> None:
    head = build()
    losses = head.loss_by_feat(*outputs(2), [objects(), objects()], [META] * 2)

    assert {name: value.item() for name, value in losses.items()} == {
        'loss_cls': 0,
        'loss_bbox': 0,
    }


def test_negatives_within_a_crowd_cost_nothing() -> None:
    head = build()
    scores, deltas = outputs()
    # An anchor of the last cell says class 1.
    scores[0][0, 1, 1, 1] = 40.0
    truth = [objects([2, 2, 6.4, 6.4])]
    metas = [META]
    crowd = [InstanceData(bboxes=torch.tensor([[8.0, 8.0, 16.0, 16.0]]))]
    free = head.loss_by_feat(scores, deltas, truth, metas)
    spared = head.loss_by_feat(scores, deltas, truth, metas, crowd)

    # That anchor's cross entropy is 20, divided by two positives.
    difference = (free['loss_cls'] - spared['loss_cls']).item()
    assert difference == pytest.approx(10, abs=1e-4)


def test_an_object_within_a_crowd_is_learned_all_the_same() -> None:
    head = build()
    truth = [objects([2, 2, 6.4, 6.4])]
    crowd = [InstanceData(bboxes=torch.tensor([[0.0, 0.0, 16.0, 16.0]]))]
    free = head.loss_by_feat(*outputs(), truth, [META])
    spared = head.loss_by_feat(*outputs(), truth, [META], crowd)

    # Of the classes only the two positives are left, each log(2 + e^20).
    assert spared['loss_bbox'] == free['loss_bbox'] > 0
    assert spared['loss_cls'].item() == pytest.approx(20, rel=1e-6)


def test_predictions_are_decoded_thresholded_and_suppressed_by_class() -> None:
    head = build()
    scores, deltas = outputs()
    # Both anchors of the first cell, (2, 2, 6, 6) and the square of sqrt(32) around
    # it, say class 0 with 0.9 and 0.8; the anchor of 8 pixels says class 1 with 0.04.
    scores[0][0, :3, 0, 0] = torch.tensor([0.9, 0.0, 0.1]).log().clamp(min=-20)
    scores[0][0, 3:, 0, 0] = torch.tensor([0.8, 0.0, 0.2]).log().clamp(min=-20)
    scores[1][0, :3, 0, 0] = torch.tensor([0.0, 0.04, 0.96]).log().clamp(min=-20)
    deltas[0][0, 0, 0, 0] = 10.0  # 0.1 * 10 widths of 4 pixels to the right
    (found,) = head.predict_by_feat(scores, deltas, batch_img_metas=[META])

    # They overlap by less than 4 * 0.83 of 16 + 32 pixels.
    assert found.labels.tolist() == [0, 0]
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.8]))
    low, high = 4 - SQUARE / 2, 4 + SQUARE / 2
    expected = torch.tensor([[6.0, 2, 10, 6], [low, low, high, high]])
    torch.testing.assert_close(found.bboxes, expected)


def test_soft_nms_decays_a_box_by_its_overlap_with_a_better_one() -> None:
    head = build()
    scores, deltas = outputs()
    scores[0][0, :3, 0, 0] = torch.tensor([0.9, 0.0, 0.1]).log().clamp(min=-20)
    scores[0][0, 3:, 0, 0] = torch.tensor([0.8, 0.0, 0.2]).log().clamp(min=-20)
    (found,) = head.predict_by_feat(scores, deltas, batch_img_metas=[META])

    # The IoU is 16 / 32.
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.8 * 0.5]))


def test_hard_nms_drops_it() -> None:
    hard = {'score_thr': 0.05, 'nms': {'type': 'nms', 'iou_threshold': 0.45}}
    head = build(test_cfg=hard)
    scores, deltas = outputs()
    scores[0][0, :3, 0, 0] = torch.tensor([0.9, 0.0, 0.1]).log().clamp(min=-20)
    scores[0][0, 3:, 0, 0] = torch.tensor([0.8, 0.0, 0.2]).log().clamp(min=-20)
    (found,) = head.predict_by_feat(scores, deltas, batch_img_metas=[META])

    torch.testing.assert_close(found.scores, torch.tensor([0.9]))


def test_rescale_gives_pixels_of_the_original_image() -> None:
    head = build()
    scores, deltas = outputs()
    scores[0][0, :3, 0, 0] = torch.tensor([0.9, 0.0, 0.1]).log().clamp(min=-20)
    (found,) = head.predict_by_feat(
        scores, deltas, batch_img_metas=[META], rescale=True
    )

    # (2, 2, 6, 6) through half the width and a quarter of the height.
    torch.testing.assert_close(found.bboxes, torch.tensor([[4.0, 8, 12, 24]]))


@pytest.mark.parametrize(('nms_pre', 'expected'), [(-1, 5), (3, 3)])
def test_nms_pre_limits_what_is_suppressed(nms_pre: int, expected: int) -> None:
    head = build(test_cfg={'score_thr': 0.1, 'nms': None, 'nms_pre': nms_pre})
    scores, deltas = outputs()
    scores[0][0, 0] = 20.0
    scores[1][0, 0] = 21.0
    (found,) = head.predict_by_feat(scores, deltas, batch_img_metas=[META])

    assert len(found) == expected
    # The best one is the anchor of 8 pixels.
    best = found.bboxes[found.scores.argmax()]
    assert best.tolist() == [4, 4, 12, 12]


@pytest.mark.parametrize('suppression', ['soft_nms', 'nms'])
def test_an_image_without_detections_gives_empty_boxes(suppression: str) -> None:
    nms = {'type': suppression, 'iou_threshold': 0.5}
    head = build(test_cfg={'score_thr': 0.05, 'nms': nms})
    found, other = head.predict_by_feat(*outputs(2), batch_img_metas=[META] * 2)

    assert found.bboxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
    assert len(other) == 0


def test_scales_that_do_not_fit_the_anchors_are_named() -> None:
    with pytest.raises(ValueError, match=r'gets 3 maps.*anchors for 2'):
        build(in_channels=(3, 3, 3))


def test_an_unknown_suppression_is_named() -> None:
    with pytest.raises(ValueError, match="'soft_nms', 'nms'.*got 'wbf'"):
        build(test_cfg={'nms': {'type': 'wbf'}})


def test_an_unknown_option_of_the_suppression_is_named() -> None:
    with pytest.raises(ValueError, match='no option max_num; it has iou_threshold'):
        build(test_cfg={'nms': {'type': 'soft_nms', 'max_num': 5}})


def test_decoded_regression_is_refused() -> None:
    with pytest.raises(ValueError, match='remove reg_decoded_bbox=True'):
        build(reg_decoded_bbox=True)


def test_maps_that_do_not_fit_the_head_are_named() -> None:
    message = r'head .* 2 maps of \[3, 3\] channels and got 2 of \[3, 4\]: .* the neck'
    with pytest.raises(ValueError, match=message):
        build()([torch.zeros(1, 3, 2, 2), torch.zeros(1, 4, 1, 1)])


@pytest.mark.parametrize('coder', ['DeltaXYWHBBoxCoder', 'SSDBBoxCoder'])
def test_losses_of_double_predictions_are_double(coder: str) -> None:
    options = {'SSDBBoxCoder': {}, 'DeltaXYWHBBoxCoder': {'target_stds': [0.1] * 4}}
    head = build(bbox_coder={'type': coder, **options[coder]})
    scores, deltas = ([x.double().requires_grad_() for x in maps] for maps in outputs())
    losses = head.loss_by_feat(scores, deltas, [objects([2, 2, 6, 6])], [META])

    assert {loss.dtype for loss in losses.values()} == {torch.float64}
    sum(losses.values()).backward()
    assert all(x.grad.isfinite().all() for x in (*scores, *deltas))


def test_boxes_of_background_anchors_may_be_anything() -> None:
    head = build()
    scores, deltas = outputs()
    truth = [objects([2, 2, 6.4, 6.4])]
    expected = head.loss_by_feat(scores, deltas, truth, [META])['loss_bbox']
    deltas[0][0, 0, 1, 1] = math.inf

    assert head.loss_by_feat(scores, deltas, truth, [META])['loss_bbox'] == expected


def test_ranking_by_shifted_scores_leaves_the_lowest_anchors_last() -> None:
    # One object, hence three negatives of the six that are left. Of two anchors all
    # scores lie 200 below the largest: they are hard, and yet the release ranks them
    # last.
    scores, deltas = outputs()
    scores = [torch.zeros_like(level) for level in scores]
    scores[0][0, 2::3] = 3
    scores[0][0, :3, 1, 1] = torch.tensor([-190.0, -200, -200])
    scores[0][0, :3, 1, 0] = torch.tensor([-190.0, -200, -200])
    truth = [objects([4, 4, 12, 12])]
    chosen = {}
    for shifted in (False, True):
        config = build().train_cfg.copy()
        head = build(train_cfg={**config, 'rank_by_shifted_scores': shifted})
        maps = [level.clone().requires_grad_() for level in scores]
        head.loss_by_feat(maps, deltas, truth, [META])['loss_cls'].backward()
        chosen[shifted] = maps[0].grad[0, :3, 1].abs().sum(dim=0) > 0

    assert chosen[False].tolist() == [True, True]
    assert chosen[True].tolist() == [False, False]


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ({'variant': 'foo'}, "variant must be one of .*'foo'"),
        ({'method': 'hard'}, "method must be one of .*'hard'"),
        ({'iou_threshold': 45}, 'iou_threshold must be from 0 to 1, got 45'),
        ({'iou_threshold': math.nan}, 'iou_threshold must be a number, got nan'),
        ({'sigma': 0}, 'sigma must be positive, got 0'),
        ({'sigma': '0.5'}, "sigma must be a number, got '0.5'"),
        ({'min_score': math.nan}, 'min_score must be a number, got nan'),
        ({'offset': 'one'}, "offset must be a number, got 'one'"),
        ({'max_per_class': 1.5}, r'max_per_class must be a whole number, got 1\.5'),
        ({'max_per_class': True}, 'max_per_class must be a whole number, got True'),
    ],
)
def test_a_setting_of_soft_nms_without_sense_stops_when_built(
    option: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(test_cfg={'nms': {'type': 'soft_nms', **option}})


def test_the_limit_of_an_image_is_checked_when_built() -> None:
    with pytest.raises(
        ValueError, match=r'max_per_img must be a whole number, got 10\.5'
    ):
        build(test_cfg={'nms': {'type': 'soft_nms'}, 'max_per_img': 10.5})


def random_outputs(num_images: int) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return (
        [torch.randn(num_images, 6, n, n, generator=generator) * 2 for n in (2, 1)],
        [torch.randn(num_images, 8, n, n, generator=generator) for n in (2, 1)],
    )


@pytest.mark.parametrize(
    'changes',
    [
        {'nms': {'type': 'soft_nms', 'iou_threshold': 0.2, 'variant': 'original'}},
        {'nms': {'type': 'soft_nms', 'method': 'gaussian', 'class_agnostic': True}},
        {'nms': {'type': 'nms', 'iou_threshold': 0.3}, 'max_per_img': 4},
        {'nms': {'type': 'soft_nms'}, 'nms_pre': 5},
        {'nms': None},
    ],
)
@pytest.mark.parametrize('rescale', [False, True])
def test_a_batch_gives_what_its_images_give_alone(changes: dict, rescale: bool) -> None:
    head = build(test_cfg={'score_thr': 0.1, 'max_per_img': 100, **changes})
    metas = [
        {**META, 'scale_factor': (0.5, 0.25), 'img_shape': (16, 16)},
        {**META, 'scale_factor': (2.0, 1.0), 'img_shape': (9, 12)},
        {**META, 'scale_factor': (1.0, 1.0), 'img_shape': (16, 5)},
    ]
    for meta in metas:
        meta['batch_input_shape'] = (16, 16)
    scores, deltas = random_outputs(3)
    batch = head.predict_by_feat(scores, deltas, None, metas, rescale=rescale)

    for i, found in enumerate(batch):
        (alone,) = head.predict_by_feat(
            [x[i : i + 1] for x in scores],
            [x[i : i + 1] for x in deltas],
            batch_img_metas=metas[i : i + 1],
            rescale=rescale,
        )
        assert 0 < len(found) == len(alone)
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(found[key], alone[key]), key
    height, width = metas[1]['img_shape']
    if rescale:
        width, height = width / 2, height / 1
    assert batch[1].bboxes.amax(dim=0)[2:].tolist() == [width, height]
    assert batch[1].bboxes.min() >= 0


@pytest.mark.parametrize('class_agnostic', [False, True])
def test_hard_nms_is_that_of_mmcv(class_agnostic: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    boxes = torch.rand(200, 4, generator=generator) * 40
    boxes[:, 2:] += boxes[:, :2]
    scores = torch.rand(200, generator=generator)
    labels = torch.randint(0, 3, (200,), generator=generator)
    nms = {'type': 'nms', 'iou_threshold': 0.4, 'class_agnostic': class_agnostic}
    settings = ConfigDict(nms=nms, max_per_img=50)
    found = M2DetHead.suppress(
        InstanceData(bboxes=boxes, scores=scores, labels=labels), settings
    )
    dets, keep = batched_nms(boxes, scores, labels, dict(nms))

    assert len(keep) > 50
    assert torch.equal(found.bboxes, boxes[keep[:50]])
    assert torch.equal(found.scores, dets[:50, 4])
    assert torch.equal(found.labels, labels[keep[:50]])


def test_anchors_of_the_last_sizes_are_kept() -> None:
    head = build()
    sizes, device = [(2, 2), (1, 1)], torch.device('cpu')
    with torch.inference_mode():
        first, _ = head.get_anchors(sizes, [META], device)
    again, _ = head.get_anchors(sizes, [META] * 2, device)
    assert again[1][0] is first[0][0]
    assert not first[0][0].is_inference()
    again[0][0] = None
    again, _ = head.get_anchors(sizes, [META], device)
    assert again[0][0] is first[0][0]

    for side in range(17, 30):
        meta = {'img_shape': (side, side)}
        other, _ = head.get_anchors(sizes, [meta], device)
        assert other[0][0][0, 0] == side / 4 - 2
    again, _ = head.get_anchors(sizes, [META], device)
    assert again[0][0] is not first[0][0]
    assert torch.equal(again[0][0], first[0][0])


def test_one_image_of_a_batch_may_have_no_detections() -> None:
    scores, deltas = outputs(2)
    scores[0][1, 1, 0, 0] = 25.0
    nothing, one = build().predict_by_feat(scores, deltas, batch_img_metas=[META] * 2)

    assert len(nothing) == 0
    assert one.labels.tolist() == [1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
@pytest.mark.parametrize('kind', ['soft_nms', 'nms'])
def test_the_gpu_is_waited_for_once_at_the_end(kind: str) -> None:
    head = build(
        bbox_coder={'type': 'SSDBBoxCoder', 'clip_border': True},
        test_cfg={
            'score_thr': 0.1,
            'nms': {'type': kind, 'iou_threshold': 0.3},
            'max_per_img': 5,
            'nms_pre': 9,
        },
    )
    scores, deltas = ([x.cuda() for x in maps] for maps in random_outputs(2))
    metas = [META, {**META, 'scale_factor': (2.0, 2.0)}]
    # Once without the check: anchors are made, kernels compiled.
    expected = head.predict_by_feat(scores, deltas, None, metas, rescale=True)
    torch.cuda.set_sync_debug_mode('error')
    try:
        boxes, class_scores = head.decode(scores, deltas, META['img_shape'])
        boxes = head._in_image(boxes, metas, rescale=True)
        class_scores = strongest(class_scores, 9)
        options = suppression_options(head.test_cfg.nms)
        dets, _, _ = multiclass_soft_nms(
            boxes, class_scores, score_thr=0.1, max_num=5, **options
        )
    finally:
        torch.cuda.set_sync_debug_mode('default')
    for found, image in zip(expected, dets, strict=True):
        assert torch.equal(found.bboxes, image[: len(found), :4])


def test_anchors_follow_another_generator() -> None:
    head, other = build(), build(anchor_generator={**GENERATOR, 'input_size': 32})
    sizes, device = [(2, 2), (1, 1)], torch.device('cpu')
    head.get_anchors(sizes, [META], device)
    head.prior_generator = other.prior_generator

    (found, *_), _ = head.get_anchors(sizes, [META], device)
    (expected, *_), _ = other.get_anchors(sizes, [META], device)
    assert torch.equal(found[0], expected[0])


def test_a_coder_that_always_clips_still_does() -> None:
    coder = {'type': 'LegacyDeltaXYWHBBoxCoder'}
    head = build(bbox_coder=coder, test_cfg={'score_thr': 0.1, 'nms': None})
    (found,) = head.predict_by_feat(*random_outputs(1), batch_img_metas=[META])

    assert found.bboxes.min() == 0
    assert found.bboxes.max() == 16


def test_scores_that_are_no_numbers_do_not_fill_the_limit() -> None:
    head = build(test_cfg={'score_thr': 0.1, 'nms': None, 'nms_pre': 2})
    scores, deltas = random_outputs(1)
    scores[1][:] = math.nan
    (found,) = head.predict_by_feat(scores, deltas, batch_img_metas=[META])

    assert len(found) == 2
    assert found.scores.isfinite().all()
