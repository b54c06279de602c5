import mmcv.ops
import numpy as np
import pytest
import torch

from m2det_mmdet.ops import nms, pairwise_iou

# IoU of the first two: 100 / 200 = 0.5; the third is apart.
BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 60, 60]])
SCORES = torch.tensor([0.8, 0.9, 0.1])


def slow_nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> list[int]:
    boxes = boxes.double().tolist()
    order = sorted(range(len(boxes)), key=lambda i: -float(scores[i]))
    keep: list[int] = []
    for i in order:
        if all(slow_iou(boxes[i], boxes[j]) <= threshold for j in keep):
            keep.append(i)
    return keep


def slow_iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return inter / (areas - inter)


def random_boxes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 4, generator=generator) * 100
    corners[:, 2:] += corners[:, :2]
    return corners, torch.rand(count, generator=generator)


@pytest.mark.parametrize(
    ('threshold', 'kept'), [(0.49, [1, 2]), (0.5, [1, 0, 2]), (0.6, [1, 0, 2])]
)
def test_nms_drops_only_above_the_threshold(threshold: float, kept: list[int]) -> None:
    assert nms(BOXES, SCORES, iou_threshold=threshold).tolist() == kept


def test_offset_counts_the_last_pixel_as_inside() -> None:
    # With one pixel added: 11 * 11 / (11 * 21) = 0.524.
    assert nms(BOXES, SCORES, iou_threshold=0.51, offset=1).tolist() == [1, 2]


def test_nms_agrees_with_a_plain_loop_across_blocks() -> None:
    boxes, scores = random_boxes(700)
    expected = slow_nms(boxes, scores, 0.4)

    assert len(expected) > 100
    assert nms(boxes, scores, iou_threshold=0.4).tolist() == expected


def test_equal_scores_keep_the_first() -> None:
    boxes = BOXES[:1].repeat(5, 1)

    assert nms(boxes, torch.full((5,), 0.5), iou_threshold=0.5).tolist() == [0]


def test_boxes_without_area_stay() -> None:
    boxes = torch.tensor([[3.0, 1, 3, 1], [3.0, 1, 3, 1]])

    assert nms(boxes, SCORES[:2], iou_threshold=0.5).tolist() == [1, 0]


def test_no_boxes_keep_none_and_inputs_stay() -> None:
    boxes, scores = BOXES.clone(), SCORES.clone()
    nms(boxes, scores, iou_threshold=0.1)

    assert torch.equal(boxes, BOXES)
    assert torch.equal(scores, SCORES)
    kept = nms(boxes[:0], scores[:0], iou_threshold=0.5)
    assert kept.dtype == torch.int64
    assert kept.shape == (0,)


def test_half_precision_is_computed_in_float32() -> None:
    # 2000 * 2000 is infinite in float16.
    boxes = torch.tensor([[0.0, 0, 2000, 2000], [0, 0, 2000, 1900]]).half()

    assert nms(boxes, SCORES[:2].half(), iou_threshold=0.5).tolist() == [1]


def test_pairwise_iou_by_hand() -> None:
    expected = torch.tensor([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])

    torch.testing.assert_close(pairwise_iou(BOXES, BOXES), expected)


def test_mmcv_nms_and_batched_nms() -> None:
    dets, keep = mmcv.ops.nms(BOXES.numpy(), SCORES.numpy(), 0.3, score_threshold=0.2)
    assert keep.tolist() == [1]
    np.testing.assert_allclose(dets, [[0, 0, 10, 20, 0.9]])

    config = {'type': 'nms', 'iou_threshold': 0.3}
    labels = torch.tensor([0, 1, 0])
    dets, keep = mmcv.ops.batched_nms(BOXES, SCORES, labels, config)
    assert keep.tolist() == [1, 0, 2]
    torch.testing.assert_close(dets[:, 4], SCORES[[1, 0, 2]])
    _, keep = mmcv.ops.batched_nms(BOXES, SCORES, labels, config, class_agnostic=True)
    assert keep.tolist() == [1, 2]
