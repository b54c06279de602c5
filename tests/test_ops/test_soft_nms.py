import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import mmcv.ops
import numpy as np
import pytest
import torch
from torch import Tensor

from m2det_mmdet.ops import batched_soft_nms, soft_nms

# Each test runs on every kernel, Triton's in its interpreter: inputs are tiny.
pytestmark = pytest.mark.usefixtures('kernel')
Call = Callable[..., tuple[Tensor, Tensor]]

NAN, INF = float('nan'), float('inf')
METHODS = ('naive', 'linear', 'gaussian')
# IoU of the first two: 100 / 200 = 0.5; the third is apart.
BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 60, 60]])
SCORES = torch.tensor([0.9, 0.8, 0.7])
ONE_CLASS = torch.zeros(3, dtype=torch.long)


def random_boxes(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes of three classes, few distinct scores: there are ties."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(count, 4, generator=generator) * 50
    boxes[:, 2:] += boxes[:, :2]
    scores = torch.randint(1, 20, (count,), generator=generator) / 20
    return boxes, scores, torch.randint(0, 3, (count,), generator=generator)


@pytest.mark.parametrize(
    ('method', 'decay'),
    [('linear', 1 - 0.5), ('gaussian', math.exp(-(0.5**2) / 0.5))],
)
def test_soft_nms_decays_the_weaker_box(call: Call, method: str, decay: float) -> None:
    dets, keep = call(soft_nms, BOXES, SCORES, method=method)

    order = [0, 2, 1]
    assert keep.tolist() == order
    assert keep.dtype == torch.int64
    expected = torch.tensor([0.9, 0.7, 0.8 * decay])
    torch.testing.assert_close(dets, torch.cat((BOXES[order], expected[:, None]), 1))


def test_naive_soft_nms_is_hard_nms(call: Call) -> None:
    assert call(soft_nms, BOXES, SCORES, method='naive')[1].tolist() == [0, 2]


def test_arguments_stand_where_mmcvs_do(call: Call) -> None:
    def by_place(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        return soft_nms(boxes, scores, 0.6, 0.1, 0.01, 'gaussian', 1, 2)

    dets, keep = call(by_place, BOXES, SCORES)
    # With a pixel more: 11 * 11 / (11 * 21).
    assert keep.tolist() == [0, 2]
    dets, _ = call(soft_nms, BOXES, SCORES, sigma=0.1, method='gaussian', offset=1)
    expected = 0.8 * math.exp(-((121 / 231) ** 2) / 0.1)
    torch.testing.assert_close(dets[2, 4].item(), expected)


@pytest.mark.parametrize(
    ('threshold', 'variant', 'score'),
    [
        (0.5, 'mmcv', 0.4),
        (0.5001, 'mmcv', 0.8),
        (0.4999, 'original', 0.4),
        (0.5, 'original', 0.8),
    ],
)
def test_decay_starts_at_the_threshold_or_above(
    call: Call, threshold: float, variant: str, score: float
) -> None:
    options = {'iou_threshold': threshold, 'variant': variant}
    dets, _ = call(batched_soft_nms, BOXES[:2], SCORES[:2], ONE_CLASS[:2], **options)

    torch.testing.assert_close(dets[1, 4].item(), score)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('variant', ['mmcv', 'original'])
@pytest.mark.parametrize('min_score', [0.0, 0.3])
def test_results_equal_those_of_a_plain_loop(
    call: Call,
    kernel: str,
    reference: ModuleType,
    method: str,
    variant: str,
    min_score: float,
) -> None:
    precise = kernel != 'triton'
    boxes, scores, labels = random_boxes(120 if precise else 8)
    boxes, scores = (x.double() if precise else x for x in (boxes, scores))
    options = {'method': method, 'min_score': min_score, 'variant': variant}
    traces = reference.soft_nms_loop(
        boxes.numpy(), scores.numpy(), labels.numpy(), **options
    )
    expected_keep, expected = reference.merge(traces)

    dets, keep = call(batched_soft_nms, boxes, scores, labels, **options)
    assert keep.tolist() == expected_keep
    assert torch.equal(dets[:, :4], boxes[keep])
    tolerance = {'rtol': 1e-12, 'atol': 0} if precise else {'rtol': 0, 'atol': 1e-6}
    np.testing.assert_allclose(dets[:, 4], expected, **tolerance)


@pytest.mark.parametrize('limit', [0, -1, 1, 3, 100])
def test_max_num_cuts_only_at_the_end(call: Call, limit: int) -> None:
    boxes, scores, labels = random_boxes(8)
    dets, keep = call(batched_soft_nms, boxes, scores, labels)
    few, few_keep = call(batched_soft_nms, boxes, scores, labels, max_num=limit)
    count = limit if limit > 0 else None

    assert len(keep) > 3
    assert torch.equal(few, dets[:count])
    assert torch.equal(few_keep, keep[:count])


def test_equal_scores_come_in_input_order(call: Call) -> None:
    apart = torch.arange(6.0)[:, None] * 100 + BOXES[0]
    labels = torch.tensor([2, 0, 1, 0, 2, 0])
    _, keep = call(batched_soft_nms, apart, torch.full((6,), 0.5), labels)
    assert keep.tolist() == [0, 1, 2, 3, 4, 5]
    _, keep = call(batched_soft_nms, apart, torch.full((6,), 0.5), labels, max_num=3)
    assert keep.tolist() == [0, 1, 2]


@pytest.mark.parametrize('method', ['naive', 'linear'])
def test_of_identical_boxes_the_first_stays(call: Call, method: str) -> None:
    boxes = BOXES[[0, 0, 2, 0, 2]]
    scores = torch.tensor([0.5, 0.7, 0.6, 0.7, 0.6])
    _, keep = call(soft_nms, boxes, scores, method=method)
    assert keep.tolist() == [1, 2]
    # At a limit of 0 what has lost all its score stays too.
    dets, keep = call(soft_nms, boxes, scores, method=method, min_score=0)
    assert keep.tolist() == [1, 2, 0, 3, 4]
    assert dets[2:, 4].tolist() == [0, 0, 0]


def test_boxes_below_zero_overlap_as_others_do(call: Call) -> None:
    dets, keep = call(soft_nms, BOXES - 1000, SCORES)

    assert keep.tolist() == [0, 2, 1]
    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.7, 0.4]))


@pytest.mark.parametrize('method', METHODS)
def test_boxes_without_area_do_not_act_on_each_other(call: Call, method: str) -> None:
    boxes = torch.tensor([[3.0, 1, 3, 1], [3, 1, 3, 1], [3, 1, 3, 9], [0, 0, 5, 5]])
    scores = torch.tensor([0.5, 0.6, 0.7, 0.4])
    dets, keep = call(soft_nms, boxes, scores, method=method, iou_threshold=0.01)

    assert keep.tolist() == [2, 1, 0, 3]
    assert torch.equal(dets[:, 4], scores[keep])


def test_boxes_with_exchanged_corners_act_on_nothing(call: Call) -> None:
    inverted = BOXES[:2, [2, 3, 0, 1]]
    boxes = torch.cat((inverted, BOXES[:1], BOXES[:1, [2, 1, 0, 3]]))
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    dets, keep = call(soft_nms, boxes, scores, iou_threshold=0.01)

    assert keep.tolist() == [0, 1, 2, 3]
    assert torch.equal(dets[:, 4], scores)


@pytest.mark.parametrize('bad', [NAN, INF, -INF])
@pytest.mark.parametrize('variant', ['mmcv', 'original'])
def test_what_is_not_finite_is_left_out(call: Call, bad: float, variant: str) -> None:
    boxes = BOXES.repeat(2, 1)
    boxes[1, 3] = bad
    scores = SCORES.repeat(2)
    scores[0] = bad
    dets, keep = call(
        batched_soft_nms, boxes, scores, torch.zeros(6).long(), variant=variant
    )
    assert dets.isfinite().all()
    # Box 5 equals box 2: its score falls to 0.
    assert keep.tolist() == [3, 2, 4]


@pytest.mark.parametrize('bad', [NAN, INF, -INF])
def test_soft_nms_never_returns_what_is_not_finite(call: Call, bad: float) -> None:
    spoilt = torch.full_like(BOXES, bad)
    for boxes, scores in ((BOXES, torch.full((3,), bad)), (spoilt, SCORES)):
        dets, keep = call(soft_nms, boxes, scores)
        assert dets.shape == (0, 5)
        assert keep.shape == (0,)
    # The best of the others stays, whatever its score.
    scores = torch.tensor([bad, 1e-4, 2e-4])
    dets, keep = call(soft_nms, BOXES, scores)
    assert keep.tolist() == [2]
    torch.testing.assert_close(dets[0], torch.tensor([50, 50, 60, 60, 2e-4]))


def test_best_box_stays_below_min_score_as_in_mmcv(call: Call) -> None:
    scores = torch.tensor([2e-4, 1e-4, 1e-4])

    assert call(soft_nms, BOXES, scores)[1].tolist() == [0]
    assert call(batched_soft_nms, BOXES, scores, ONE_CLASS)[1].tolist() == []


def test_the_original_keeps_a_weak_box_that_nothing_overlaps(call: Call) -> None:
    # The second overlaps the first and decays below the limit, the third is alone.
    scores = torch.tensor([0.9, 0.0011, 0.0005])
    _, keep = call(batched_soft_nms, BOXES, scores, ONE_CLASS, variant='original')
    assert keep.tolist() == [0, 2]
    _, keep = call(batched_soft_nms, BOXES, scores, ONE_CLASS)
    assert keep.tolist() == [0]


def test_only_boxes_of_a_class_act_on_each_other(call: Call) -> None:
    boxes = BOXES[[0, 0, 0, 0, 0]]
    scores = torch.tensor([0.5, 0.9, 0.6, 0.8, 0.7])
    # Labels that no double holds.
    labels = torch.tensor([2**62 + 1, -(2**62), 2**62, -(2**62), 2**62 + 1])
    dets, keep = call(batched_soft_nms, boxes, scores, labels)

    assert keep.tolist() == [1, 4, 2]
    assert torch.equal(dets[:, 4], scores[keep])


def test_each_class_keeps_its_best_boxes(call: Call, kernel: str) -> None:
    boxes, scores, labels = random_boxes(15 if kernel == 'triton' else 60)
    options = {'iou_threshold': 0.3, 'offset': 1, 'min_score': 0}
    dets, keep = call(
        batched_soft_nms, boxes, scores, labels, max_per_class=2, **options
    )
    all_dets, all_keep = call(batched_soft_nms, boxes, scores, labels, **options)

    assert labels[keep].bincount().tolist() == [2, 2, 2]
    for label in range(3):
        of_class = labels[all_keep] == label
        assert keep[labels[keep] == label].equal(all_keep[of_class][:2])
        assert dets[labels[keep] == label].equal(all_dets[of_class][:2])
    for limit in (0, -1):
        results = call(
            batched_soft_nms, boxes, scores, labels, max_per_class=limit, **options
        )
        assert results[1].equal(all_keep)
    _, few = call(
        batched_soft_nms, boxes, scores, labels, max_per_class=2, max_num=3, **options
    )
    assert few.equal(keep[:3])


@pytest.mark.parametrize('limit', [-1, 2, 6])
def test_a_batch_gives_what_its_images_give(call: Call, limit: int) -> None:
    boxes, scores, labels = (x.unflatten(0, (2, 4)) for x in random_boxes(8))
    # A shorter image, filled up, and one that is empty.
    scores = torch.cat((scores, torch.full((1, 4), -INF)))
    boxes, labels = (torch.cat((x, x[:1])) for x in (boxes, labels))
    scores[1, 2:] = -INF
    dets, keep = call(batched_soft_nms, boxes, scores, labels, max_num=limit)

    room = min(limit, 4) if limit > 0 else 4
    assert dets.shape == (3, room, 5)
    assert keep.shape == (3, room)
    for i, count in enumerate((4, 2, 0)):
        alone = call(
            batched_soft_nms,
            *(x[i, :count] for x in (boxes, scores, labels)),
            max_num=limit,
        )
        found = len(alone[1])
        assert torch.equal(dets[i, :found], alone[0])
        assert torch.equal(keep[i, :found], alone[1])
        assert (keep[i, found:] == -1).all()
        assert (dets[i, found:] == 0).all()


def test_no_boxes_give_none(call: Call) -> None:
    dets, keep = call(soft_nms, BOXES[:0], SCORES[:0])
    assert dets.shape == (0, 5)
    assert keep.shape == (0,)
    assert keep.dtype == torch.int64
    dets, keep = call(batched_soft_nms, BOXES[:0], SCORES[:0], ONE_CLASS[:0], max_num=4)
    assert dets.shape == (0, 5)
    assert keep.shape == (0,)


@pytest.mark.parametrize('limit', [-1, 2])
@pytest.mark.parametrize('shape', [(2, 0), (0, 3), (0, 0)])
def test_batches_of_nothing(call: Call, shape: tuple[int, int], limit: int) -> None:
    dets, keep = call(
        batched_soft_nms,
        torch.zeros(*shape, 4),
        torch.zeros(shape),
        torch.zeros(shape).long(),
        max_num=limit,
    )
    room = min(limit, shape[1]) if limit > 0 else shape[1]
    assert dets.shape == (shape[0], room, 5)
    assert keep.shape == (shape[0], room)
    assert (keep == -1).all()
    assert (dets == 0).all()


def test_inputs_stay_and_need_not_be_contiguous(call: Call) -> None:
    boxes, scores, labels = (x.unflatten(0, (2, 3)) for x in random_boxes(6))
    expected = call(batched_soft_nms, boxes, scores, labels)
    # Neighbours in memory are a box's coordinate and that of another image.
    inputs = (
        boxes.permute(1, 2, 0).contiguous().permute(2, 0, 1),
        scores.t().contiguous().t(),
        torch.stack((labels, labels), 2)[..., 1],
    )
    assert not any(x.is_contiguous() for x in inputs)
    copies = [x.clone() for x in inputs]
    for found, value in zip(call(batched_soft_nms, *inputs), expected, strict=True):
        assert torch.equal(found, value)
    for x, copy in zip(inputs, copies, strict=True):
        assert torch.equal(x, copy)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_kept_and_no_gradient_passes(
    call: Call, kernel: str, dtype: torch.dtype
) -> None:
    if kernel == 'triton' and dtype == torch.float64:
        pytest.skip("Triton's kernel is for float32")
    # 2000 * 2000 is infinite in float16.
    boxes = (BOXES * 200).clamp(max=2000).to(dtype).requires_grad_()
    scores = SCORES.to(dtype).requires_grad_()
    dets, keep = call(batched_soft_nms, boxes[:2], scores[:2], ONE_CLASS[:2])
    assert dets.dtype == dtype
    assert not dets.requires_grad
    # The two are one.
    assert keep.tolist() == [0]
    dets, keep = call(soft_nms, (BOXES * 9).to(dtype), scores)
    assert keep.tolist() == [0, 2, 1]
    assert dets[2, 4].item() == pytest.approx(0.4, abs=4e-3)
    assert not dets.requires_grad
    # The best box below the limit takes another way.
    dets, _ = call(soft_nms, boxes, scores, min_score=2)
    assert dets.dtype == dtype
    assert not dets.requires_grad


def test_mmcv_soft_nms_in_numpy_and_torch() -> None:
    dets, keep = mmcv.ops.soft_nms(BOXES.numpy(), SCORES.numpy(), method='linear')
    assert keep.tolist() == [0, 2, 1]
    np.testing.assert_allclose(dets[:, 4], [0.9, 0.7, 0.4], rtol=1e-6)

    config = {'type': 'soft_nms', 'iou_threshold': 0.3, 'method': 'naive'}
    labels = torch.tensor([0, 1, 0])
    dets, keep = mmcv.ops.batched_nms(BOXES, SCORES, labels, config)
    assert keep.tolist() == [0, 1, 2]
    torch.testing.assert_close(dets[:, :4], BOXES)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'method': 'hard'}, r"method must be one of .*linear.*'hard'"),
        ({'variant': 'mmcv2'}, r"variant must be one of .*mmcv.*'mmcv2'"),
        ({'iou_threshold': 1.5}, r'iou_threshold must be from 0 to 1, got 1\.5'),
        ({'iou_threshold': NAN}, r'iou_threshold must be a number, got nan'),
        ({'min_score': '0.1'}, r"min_score must be a number, got '0\.1'"),
        ({'offset': None}, r'offset must be a number, got None'),
        ({'sigma': 0}, r'sigma must be positive, got 0'),
        ({'min_score': -1}, 'min_score must not be negative, got -1'),
        ({'max_num': 1.5}, r'max_num must be a whole number, got 1\.5'),
        ({'max_num': True}, r'max_num must be a whole number, got True'),
        ({'max_per_class': '3'}, r"max_per_class must be a whole number, got '3'"),
    ],
)
def test_a_bad_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batched_soft_nms(BOXES, SCORES, ONE_CLASS, **options)
    if not {'variant', 'max_per_class'} & set(options):
        with pytest.raises(ValueError, match=message):
            soft_nms(BOXES, SCORES, **options)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r'boxes must be \(N, 4\).*got \(3, 3\)'):
        batched_soft_nms(BOXES[:, :3], SCORES, ONE_CLASS)
    with pytest.raises(ValueError, match=r'one entry per box, \(3,\), got \(2,\)'):
        batched_soft_nms(BOXES, SCORES[:2], ONE_CLASS)
    with pytest.raises(ValueError, match=r'\(1, 3\), got \(1, 3\) and \(3,\)'):
        batched_soft_nms(BOXES[None], SCORES[None], ONE_CLASS)


def test_options_may_be_numbers_of_numpy(call: Call) -> None:
    limits = {'max_num': np.int64(2), 'max_per_class': np.int32(5)}
    numbers = {'iou_threshold': np.float32(0.5), 'min_score': np.float64(0.1)}
    _, keep = call(batched_soft_nms, BOXES, SCORES, ONE_CLASS, **limits, **numbers)
    assert keep.tolist() == [0, 2]


@pytest.mark.parametrize(
    'dtype', [torch.bool, torch.uint8, torch.int32, torch.float16, torch.float64]
)
def test_labels_may_be_of_any_type(call: Call, dtype: torch.dtype) -> None:
    labels = torch.tensor([0, 1, 0], dtype=dtype)
    dets, keep = call(batched_soft_nms, BOXES, SCORES, labels)

    # Of different classes the first two do not act on each other.
    assert keep.tolist() == [0, 1, 2]
    assert torch.equal(dets[:, 4], SCORES)


def test_a_limit_beyond_the_boxes_takes_no_memory(call: Call) -> None:
    dets, keep = call(soft_nms, BOXES, SCORES, max_num=10**12)

    assert keep.tolist() == [0, 2, 1]
    batch = call(
        batched_soft_nms, BOXES[None], SCORES[None], ONE_CLASS[None], max_num=9
    )
    assert torch.equal(batch[0], dets[None])


def test_the_best_box_below_the_limit_is_of_the_type_of_the_boxes() -> None:
    dets, _ = soft_nms(BOXES.half(), torch.tensor([2e-4, 1e-4, 1e-4]))

    assert dets.dtype == torch.float16
    assert len(dets) == 1


def test_whole_pixels_keep_their_scores(call: Call) -> None:
    dets, _ = call(soft_nms, BOXES.long(), SCORES)
    expected, _ = call(soft_nms, BOXES, SCORES)

    assert torch.equal(dets, expected)
    (dets, _) = call(soft_nms, BOXES.long(), SCORES * 1e-4)
    assert dets[0, 4] == SCORES[0] * 1e-4
