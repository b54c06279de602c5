"""The expected picks are those of the kernels."""

import itertools

import pytest
import torch
from torch import Tensor

from m2det_mmdet.ops import multiclass_soft_nms
from m2det_mmdet.ops.traced_soft_nms import traced_soft_nms

METHODS = ('naive', 'linear', 'gaussian')


def _images(seed: int, *, ties: bool = False) -> tuple[Tensor, Tensor]:
    """Two images of 40 boxes, and one without any above the threshold."""
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(3, 40, 4, generator=generator) * 30
    boxes[..., 2:] += boxes[..., :2]
    scores = torch.rand(3, 40, 4, generator=generator) ** 3
    scores = (scores * 10).round() / 10 if ties else scores
    scores[1] = 0
    return boxes, scores


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize(
    ('method', 'variant'), [*itertools.product(METHODS, ('mmcv', 'original'))]
)
@pytest.mark.parametrize(
    'options',
    [
        {'max_num': 100},
        {'max_num': 7},
        {'max_num': -1, 'offset': 1},
        {'max_num': 100, 'max_per_class': 2, 'min_score': 0.05},
        {'max_num': 100, 'class_agnostic': True},
    ],
)
def test_picks_are_those_of_the_kernels(
    ties: bool, method: str, variant: str, options: dict
) -> None:
    boxes, scores = _images(0, ties=ties)
    options = {'score_thr': 0.1, 'method': method, 'variant': variant, **options}

    found, values, labels = traced_soft_nms(boxes, scores, **options)
    dets, expected, _ = multiclass_soft_nms(boxes, scores, **options)

    count = min(labels.shape[1], expected.shape[1])
    assert torch.equal(labels[:, :count], expected[:, :count])
    assert torch.equal(found[:, :count], dets[:, :count, :4])
    torch.testing.assert_close(values[:, :count], dets[:, :count, 4])
    assert (labels[:, count:] == -1).all()
    assert (expected[:, count:] == -1).all()
    assert (labels[1] == -1).all()
    assert (labels[0] >= 0).sum() > 5


def test_what_is_not_finite_takes_no_part() -> None:
    boxes, scores = _images(1)
    boxes[0, 3, 1], boxes[2, 4, 2] = torch.nan, torch.inf
    scores[0, 5, 1], scores[2, 6, 0] = torch.nan, torch.inf

    found, values, labels = traced_soft_nms(boxes, scores, max_num=50)
    dets, expected, _ = multiclass_soft_nms(boxes, scores, max_num=50)

    assert torch.equal(labels, expected)
    assert torch.equal(found, dets[..., :4])
    assert torch.equal(values, dets[..., 4])
    assert values.isfinite().all()


def test_no_box_at_all_leaves_one_empty_row_without_a_limit() -> None:
    boxes, scores = _images(0)

    found, values, labels = traced_soft_nms(boxes, scores * 0)

    assert labels.tolist() == [[-1]] * 3
    assert values.abs().sum() == found.abs().sum() == 0


def test_a_traced_graph_takes_other_numbers_of_images_and_boxes() -> None:
    class Graph(torch.nn.Module):
        def forward(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
            return traced_soft_nms(boxes, scores, score_thr=0.1, max_num=20)

    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program = torch.export.export(
        Graph(), _images(0), dynamic_shapes=(free, free)
    ).module()
    boxes, scores = _images(2)

    for images in (slice(0, 1), slice(1, 2), slice(0, 3)):
        part = boxes[images, :30], scores[images, :30]
        dets, labels, _ = multiclass_soft_nms(*part, score_thr=0.1, max_num=20)
        traced = program(*part)
        assert torch.equal(traced[2], labels)
        assert torch.equal(traced[0], dets[..., :4])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'method': 'cubic'}, 'method must be one of'),
        ({'max_num': 1.5}, 'max_num must be a whole number'),
    ],
)
def test_bad_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        traced_soft_nms(*_images(0), **options)
