import pytest
import torch
from mmdet.models.task_modules.assigners import (
    AssignResult,
    BaseAssigner,
    MaxIoUAssigner,
    SimOTAAssigner,
)
from mmdet.registry import TASK_UTILS

from m2det_mmdet.models.task_modules.assignment import alignment, centres, needs_of


class Nearest(BaseAssigner):
    def assign(self, *_: object, **__: object) -> None: ...


class Stricter(SimOTAAssigner):
    pass


def test_an_assigner_gets_what_its_parent_gets() -> None:
    assert needs_of(Stricter(), sigmoid=True) == needs_of(
        SimOTAAssigner(), sigmoid=False
    )
    plain = needs_of(MaxIoUAssigner(0.5, 0.5), sigmoid=False)
    assert needs_of(Nearest(), sigmoid=False) == plain
    assert not any(plain)


@pytest.mark.parametrize(
    'config',
    [
        {'type': 'PointAssigner'},
        # It derives from MaxIoUAssigner, and takes other anchors as well.
        {'type': 'ApproxMaxIoUAssigner', 'pos_iou_thr': 0.5, 'neg_iou_thr': 0.4},
    ],
)
def test_an_assigner_that_needs_more_is_named(config: dict) -> None:
    message = f'assigner is {config["type"]}, which needs more .* MaxIoUAssigner, ATSS'
    with pytest.raises(ValueError, match=message):
        needs_of(TASK_UTILS.build(config), sigmoid=True)


@pytest.mark.parametrize(
    'config',
    [
        {'type': 'DynamicSoftLabelAssigner'},
        {'type': 'ATSSAssigner', 'topk': 9, 'alpha': 0.8},
    ],
)
def test_scores_before_a_sigmoid_need_a_sigmoid(config: dict) -> None:
    assigner = TASK_UTILS.build(config)
    assert needs_of(assigner, sigmoid=True).scores == 'logits'
    message = f'{config["type"]}, which needs scores of a sigmoid.*CrossEntropyLoss'
    with pytest.raises(ValueError, match=message):
        needs_of(assigner, sigmoid=False)


def test_centres_come_with_the_strides_of_their_scale() -> None:
    anchors = torch.tensor(
        [[[0.0, 0.0, 4.0, 8.0], [2.0, 2.0, 6.0, 6.0], [0.0, 0.0, 32.0, 16.0]]]
    )
    # A map of one row of two cells, then one of one cell, of 16x32 pixels.
    found = centres(anchors, [2, 1], [(1, 2), (1, 1)], (16, 32))
    expected = [[[2, 4, 16, 16], [4, 4, 16, 16], [16, 8, 32, 16]]]
    assert found.tolist() == expected


def test_the_best_match_of_an_object_has_its_largest_iou() -> None:
    result = AssignResult(
        num_gts=2,
        gt_inds=torch.tensor([1, 0, 1, 2]),
        max_overlaps=torch.tensor([0.6, 0.0, 0.8, 0.5]),
        labels=torch.tensor([0, -1, 0, 1]),
    )
    places = torch.tensor([0, 2, 3])
    assert alignment(result, places) is None
    result.assign_metrics = torch.tensor([0.2, 0.0, 0.1, 0.3])
    # 0.8 for the first object's better metric, half of it for the other.
    torch.testing.assert_close(alignment(result, places), torch.tensor([0.8, 0.4, 0.5]))
