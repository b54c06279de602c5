import math

import mmcv.ops
import numpy as np
import pytest
import torch

from m2det_mmdet.ops import batched_soft_nms, soft_nms

# IoU of the first two: 100 / 200 = 0.5; the third is apart.
BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 60, 60]])
SCORES = torch.tensor([0.9, 0.8, 0.7])


def slow_soft_nms(
    boxes: list[list[float]], scores: list[float], method: str, min_score: float
) -> tuple[list[int], list[float]]:
    """mmcv's loop on lists, in double precision, with its swaps."""
    rows = [[*b, s, i] for i, (b, s) in enumerate(zip(boxes, scores, strict=True))]
    i = 0
    while i < len(rows):
        best = max(range(i, len(rows)), key=lambda j: (rows[j][4], -j))
        rows[i], rows[best] = rows[best], rows[i]
        j = i + 1
        while j < len(rows):
            iou = slow_iou(rows[i], rows[j])
            if method == 'gaussian':
                rows[j][4] *= math.exp(-(iou**2) / 0.5)
            elif iou >= 0.3:
                rows[j][4] *= 0 if method == 'naive' else 1 - iou
            if rows[j][4] < min_score:
                rows[j] = rows[-1]
                rows.pop()
                continue
            j += 1
        i += 1
    return [row[5] for row in rows], [row[4] for row in rows]


def slow_iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return inter / (areas - inter)


def random_boxes(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(count, 4, generator=generator, dtype=torch.float64) * 50
    boxes[:, 2:] += boxes[:, :2]
    # Few distinct scores: ties show whether the order is mmcv's.
    scores = torch.randint(1, 20, (count,), generator=generator).double() / 20
    return boxes, scores, torch.randint(0, 3, (count,), generator=generator)


@pytest.mark.parametrize(
    ('method', 'decay'),
    [('linear', 1 - 0.5), ('gaussian', math.exp(-(0.5**2) / 0.5))],
)
def test_soft_nms_decays_the_weaker_box(method: str, decay: float) -> None:
    dets, keep = soft_nms(BOXES, SCORES, method=method)

    order = [0, 2, 1]
    assert keep.tolist() == order
    expected = torch.tensor([0.9, 0.7, 0.8 * decay])
    torch.testing.assert_close(dets, torch.cat((BOXES[order], expected[:, None]), 1))


def test_naive_soft_nms_is_hard_nms() -> None:
    assert soft_nms(BOXES, SCORES, method='naive')[1].tolist() == [0, 2]


@pytest.mark.parametrize(('threshold', 'score'), [(0.5, 0.4), (0.5001, 0.8)])
def test_decay_starts_at_the_threshold(threshold: float, score: float) -> None:
    dets, _ = soft_nms(BOXES[:2], SCORES[:2], iou_threshold=threshold)

    torch.testing.assert_close(dets[1, 4].item(), score)


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('min_score', [0.0, 0.001, 0.3])
def test_soft_nms_equals_mmcvs_loop(method: str, min_score: float) -> None:
    boxes, scores, _ = random_boxes(120)
    dets, keep = soft_nms(boxes, scores, method=method, min_score=min_score)
    expected_keep, expected = slow_soft_nms(
        boxes.tolist(), scores.tolist(), method, min_score
    )

    assert keep.tolist() == expected_keep
    np.testing.assert_allclose(dets[:, 4].numpy(), expected, rtol=1e-12)
    assert torch.equal(dets[:, :4], boxes[keep])


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_batched_soft_nms_equals_a_loop_over_classes(method: str) -> None:
    boxes, scores, labels = random_boxes(120)
    # Distinct scores: over several classes mmcv knows no order of ties.
    scores += torch.arange(120) * 1e-5
    expected = []
    for label in range(3):
        index = (labels == label).nonzero().flatten()
        keep, decayed = slow_soft_nms(
            boxes[index].tolist(), scores[index].tolist(), method, 0.05
        )
        expected += zip(decayed, index[keep].tolist(), strict=True)
    expected.sort(reverse=True)

    dets, keep = batched_soft_nms(boxes, scores, labels, method=method, min_score=0.05)
    assert keep.tolist() == [index for _, index in expected]
    np.testing.assert_allclose(dets[:, 4], [s for s, _ in expected], rtol=1e-12)
    few, few_keep = batched_soft_nms(boxes, scores, labels, method=method, max_num=9)
    assert torch.equal(few, dets[:9])
    assert torch.equal(few_keep, keep[:9])


def test_max_num_cuts_soft_nms_only_at_the_end() -> None:
    boxes, scores, _ = random_boxes(60)
    dets, keep = soft_nms(boxes, scores)
    few, few_keep = soft_nms(boxes, scores, max_num=7)

    assert torch.equal(few, dets[:7])
    assert torch.equal(few_keep, keep[:7])


def test_best_box_stays_below_min_score_as_in_mmcv() -> None:
    scores = torch.tensor([2e-4, 1e-4, 1e-4])

    assert soft_nms(BOXES, scores)[1].tolist() == [0]
    assert batched_soft_nms(BOXES, scores, torch.zeros(3))[1].tolist() == []


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
def test_batched_soft_nms_leaves_out_what_is_not_finite(bad: float) -> None:
    boxes = BOXES.repeat(2, 1)
    boxes[1, 3] = bad
    scores = SCORES.repeat(2)
    scores[0] = bad
    dets, keep = batched_soft_nms(boxes, scores, torch.zeros(6, dtype=torch.long))

    assert dets.isfinite().all()
    # Box 5 equals box 2: its score falls to 0.
    assert sorted(keep.tolist()) == [2, 3, 4]


def test_boxes_without_area_do_not_act_on_each_other() -> None:
    boxes = torch.tensor([[3.0, 1, 3, 1], [3.0, 1, 3, 1]])
    dets, _ = soft_nms(boxes, SCORES[:2], method='gaussian')

    torch.testing.assert_close(dets[:, 4], SCORES[:2])


def test_no_boxes_give_none_and_inputs_stay() -> None:
    boxes, scores, labels = BOXES.clone(), SCORES.clone(), torch.zeros(3)
    soft_nms(boxes, scores)
    batched_soft_nms(boxes, scores, labels)

    assert torch.equal(boxes, BOXES)
    assert torch.equal(scores, SCORES)
    for dets, keep in (
        soft_nms(boxes[:0], scores[:0]),
        batched_soft_nms(boxes[:0], scores[:0], labels[:0]),
    ):
        assert dets.shape == (0, 5)
        assert keep.shape == (0,)
        assert keep.dtype == torch.int64


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_kept_and_no_gradient_passes(dtype: torch.dtype) -> None:
    boxes = BOXES.to(dtype).requires_grad_()
    dets, keep = batched_soft_nms(boxes, SCORES.to(dtype), torch.zeros(3))

    assert dets.dtype == dtype
    assert not dets.requires_grad
    assert keep.tolist() == [0, 2, 1]


def test_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match=r"method must be one of .*'hard'"):
        soft_nms(BOXES, SCORES, method='hard')
    with pytest.raises(ValueError, match=r"method must be one of .*'hard'"):
        batched_soft_nms(BOXES, SCORES, torch.zeros(3), method='hard')


def test_mmcv_soft_nms_in_numpy_and_torch() -> None:
    dets, keep = mmcv.ops.soft_nms(BOXES.numpy(), SCORES.numpy(), method='linear')
    assert keep.tolist() == [0, 2, 1]
    np.testing.assert_allclose(dets[:, 4], [0.9, 0.7, 0.4], rtol=1e-6)

    config = {'type': 'soft_nms', 'iou_threshold': 0.3, 'method': 'naive'}
    labels = torch.tensor([0, 1, 0])
    dets, keep = mmcv.ops.batched_nms(BOXES, SCORES, labels, config)
    assert keep.tolist() == [0, 1, 2]
    torch.testing.assert_close(dets[:, :4], BOXES)


@pytest.mark.parametrize('method', ['naive', 'linear'])
def test_the_original_acts_above_the_threshold_only(method: str) -> None:
    labels = torch.zeros(3, dtype=torch.long)
    settings = {'iou_threshold': 0.5, 'method': method}
    mmcv_dets, _ = batched_soft_nms(BOXES, SCORES, labels, **settings)
    dets, keep = batched_soft_nms(BOXES, SCORES, labels, variant='original', **settings)

    assert keep.tolist() == [0, 1, 2]
    torch.testing.assert_close(dets[:, 4], SCORES)
    assert not (mmcv_dets[:, 4] == 0.8).any()


def test_the_original_keeps_a_weak_box_that_nothing_overlaps() -> None:
    # The second overlaps the first and decays below the limit, the third is alone.
    scores = torch.tensor([0.9, 0.0011, 0.0005])
    labels = torch.zeros(3, dtype=torch.long)
    _, keep = batched_soft_nms(BOXES, scores, labels, variant='original')
    assert keep.tolist() == [0, 2]
    _, keep = batched_soft_nms(BOXES, scores, labels)
    assert keep.tolist() == [0]


def test_each_class_keeps_its_best_boxes() -> None:
    boxes, scores, labels = random_boxes(60)
    settings = {'iou_threshold': 0.3, 'offset': 1}
    dets, keep = batched_soft_nms(boxes, scores, labels, max_per_class=4, **settings)
    all_dets, all_keep = batched_soft_nms(boxes, scores, labels, **settings)

    assert labels[keep].bincount().tolist() == [4, 4, 4]
    for label in range(3):
        of_class = labels[all_keep] == label
        assert keep[labels[keep] == label].equal(all_keep[of_class][:4])
        assert dets[labels[keep] == label].equal(all_dets[of_class][:4])
    _, two = batched_soft_nms(
        boxes, scores, labels, max_per_class=4, max_num=2, **settings
    )
    assert two.equal(keep[:2])


def test_an_unknown_variant_is_named() -> None:
    with pytest.raises(ValueError, match=r"variant must be one of .*mmcv.*'mmcv2'"):
        batched_soft_nms(BOXES, SCORES, torch.zeros(3), variant='mmcv2')


def test_limits_may_be_numbers_of_numpy() -> None:
    labels = torch.zeros(3, dtype=torch.long)
    _, keep = batched_soft_nms(
        BOXES, SCORES, labels, max_num=np.int64(2), max_per_class=np.int32(5)
    )
    assert len(keep) == 2
