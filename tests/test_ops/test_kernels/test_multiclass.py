"""`multiclass_soft_nms`, which goes its own way with Triton."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from m2det_mmdet.ops import batched_soft_nms, multiclass_soft_nms

pytestmark = pytest.mark.usefixtures('kernel')
Call = Callable[..., tuple[Tensor, Tensor, Tensor]]
NAN, INF = float('nan'), float('inf')


def random_inputs(
    images: int = 2, anchors: int = 6, classes: int = 3
) -> tuple[Tensor, Tensor]:
    """Boxes that overlap, and scores with ties."""
    generator = torch.Generator().manual_seed(1)
    boxes = torch.rand(images, anchors, 4, generator=generator) * 30
    boxes[..., 2:] += boxes[..., :2] + 5
    scores = torch.randint(0, 20, (images, anchors, classes), generator=generator)
    return boxes, scores / 20


def one_by_one(
    boxes: Tensor, scores: Tensor, score_thr: float, **options: Any
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The results of each image, from the flat function."""
    results = []
    for image, of_image in zip(boxes, scores, strict=True):
        rows, labels = (of_image > score_thr).nonzero(as_tuple=True)
        candidates = of_image[rows, labels]
        dets, keep = batched_soft_nms(image[rows], candidates, labels, **options)
        results.append((dets, labels[keep], rows[keep]))
    return results


@pytest.mark.parametrize(
    'options',
    [
        {'max_num': 4},
        {'max_num': 3, 'method': 'gaussian', 'min_score': 0.3, 'offset': 1},
        {'max_num': 50, 'method': 'naive', 'iou_threshold': 0.2},
        {'max_num': -1},
        {'max_num': 0, 'variant': 'original', 'min_score': 0.4},
        {'max_num': 9, 'variant': 'original', 'min_score': 0.4, 'max_per_class': 2},
        {'max_num': 9, 'max_per_class': 1},
    ],
)
@pytest.mark.parametrize('threshold', [0.0, 0.5, 2.0])
def test_results_are_those_of_the_flat_function(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    threshold: float,
) -> None:
    boxes, scores = random_inputs()
    # Not contiguous, as the head gives them: it cuts the background off.
    padded = torch.cat((scores, torch.ones_like(scores[..., :1])), 2)
    found = call(
        multiclass_soft_nms, boxes, padded[..., :-1], score_thr=threshold, **options
    )
    monkeypatch.undo()
    expected = one_by_one(boxes, scores, threshold, **options)
    if options['max_num'] > 0:
        limit = min(options['max_num'], scores[0].numel())
        assert found[1].shape == (2, limit)
    for image, (dets, labels, rows) in enumerate(expected):
        count = len(labels)
        assert found[1][image, :count].equal(labels)
        assert found[2][image, :count].equal(rows)
        torch.testing.assert_close(found[0][image, :count], dets, rtol=0, atol=1e-6)
        assert (found[0][image, count:] == 0).all()
        assert (found[1][image, count:] == -1).all()
        assert (found[2][image, count:] == -1).all()
    assert [x.dtype for x in found] == [torch.float32, torch.int64, torch.int64]


def test_class_agnostic_boxes_act_across_classes(call: Call) -> None:
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 20], [50, 50, 60, 60]]])
    scores = torch.tensor([[[0.9, 0.3], [0.0, 0.8], [0.7, 0.1]]])
    options = {'score_thr': 0.2, 'max_num': 5}
    _, labels, rows = call(multiclass_soft_nms, boxes, scores, **options)
    assert labels.tolist() == [[0, 1, 0, 1, -1]]
    assert rows.tolist() == [[0, 1, 2, 0, -1]]
    dets, labels, rows = call(
        multiclass_soft_nms, boxes, scores, class_agnostic=True, **options
    )
    assert labels.tolist() == [[0, 0, 1, -1, -1]]
    assert rows.tolist() == [[0, 2, 1, -1, -1]]
    torch.testing.assert_close(dets[0, :3, 4], torch.tensor([0.9, 0.7, 0.4]))


def test_equal_scores_come_row_by_row_then_class_by_class(call: Call) -> None:
    boxes = torch.arange(3.0)[None, :, None] * 100 + torch.tensor([0.0, 0, 10, 10])
    scores = torch.full((1, 3, 2), 0.5)
    _, labels, rows = call(multiclass_soft_nms, boxes, scores, max_num=5)

    assert rows.tolist() == [[0, 0, 1, 1, 2]]
    assert labels.tolist() == [[0, 1, 0, 1, 0]]


@pytest.mark.parametrize('bad', [NAN, INF, -INF])
@pytest.mark.parametrize('limit', [-1, 4])
def test_what_is_not_finite_is_left_out(call: Call, bad: float, limit: int) -> None:
    boxes, scores = random_inputs(1, 3, 2)
    scores += 0.1
    boxes[0, 0, 2] = bad
    scores[0, 1, 1] = bad
    dets, labels, rows = call(
        multiclass_soft_nms, boxes, scores, max_num=limit, method='gaussian'
    )
    places = set(zip(rows[0].tolist(), labels[0].tolist(), strict=True))
    assert places - {(-1, -1)} == {(1, 0), (2, 0), (2, 1)}
    assert dets.isfinite().all()


def test_of_a_class_without_a_good_box_nothing_stays(call: Call) -> None:
    boxes, scores = random_inputs(1, 2, 1)
    options = {'max_num': 2, 'min_score': 0.5}
    _, labels, _ = call(multiclass_soft_nms, boxes, scores * 0 + 0.4, **options)
    assert labels.tolist() == [[-1, -1]]


@pytest.mark.parametrize('limit', [-1, 3])
@pytest.mark.parametrize('shape', [(2, 0, 3), (0, 4, 3), (2, 4, 0), (0, 0, 0)], ids=str)
def test_no_boxes_or_classes_give_none(
    call: Call, shape: tuple[int, int, int], limit: int
) -> None:
    dets, labels, rows = call(
        multiclass_soft_nms,
        torch.zeros(*shape[:2], 4),
        torch.zeros(shape),
        max_num=limit,
    )
    room = min(limit, shape[1] * shape[2]) if limit > 0 else 0
    assert dets.shape == (shape[0], room, 5)
    assert labels.shape == rows.shape == (shape[0], room)
    assert (labels == -1).all()
    assert (rows == -1).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_kept_and_inputs_stay(
    call: Call, kernel: str, dtype: torch.dtype
) -> None:
    if kernel == 'triton' and dtype == torch.float64:
        pytest.skip("Triton's kernel is for float32")
    inputs = [x.to(dtype).requires_grad_() for x in random_inputs(1, 4, 2)]
    copies = [x.detach().clone() for x in inputs]
    dets, _, rows = call(multiclass_soft_nms, *inputs, max_num=2)

    assert dets.dtype == dtype
    assert not dets.requires_grad
    assert torch.equal(dets[0, :, :4], inputs[0][0, rows[0]])
    for x, copy in zip(inputs, copies, strict=True):
        assert torch.equal(x, copy)


def test_shapes_that_do_not_fit_are_named() -> None:
    boxes, scores = random_inputs()
    for bad in (
        (boxes[0], scores[0]),
        (boxes[:, :2], scores),
        (boxes[..., :3], scores),
        (boxes, scores[..., 0]),
        (boxes, scores[..., None]),
    ):
        with pytest.raises(ValueError, match=r'boxes must be \(B, A, 4\) and scores'):
            multiclass_soft_nms(*bad)
    with pytest.raises(ValueError, match=r"max_num must be a whole number, got '3'"):
        multiclass_soft_nms(boxes, scores, max_num='3')
