import pytest
import torch

from m2det_mmdet.models.utils.suppression import (
    check_suppression,
    strongest,
    strongest_of_classes,
    suppression_options,
)

NAN, NO = float('nan'), -float('inf')


def test_soft_nms_passes_its_options_on() -> None:
    nms = {'type': 'soft_nms', 'iou_threshold': 0.4, 'class_agnostic': True}

    assert suppression_options(nms) == {'iou_threshold': 0.4, 'class_agnostic': True}
    assert nms['type'] == 'soft_nms'


def test_hard_nms_is_soft_nms_that_leaves_no_score() -> None:
    options = suppression_options({'type': 'nms', 'iou_threshold': 0.5})

    assert options.pop('min_score') > 0
    expected = {'iou_threshold': 0.5, 'method': 'naive', 'variant': 'original'}
    assert options == expected


def test_types_and_options_that_do_not_exist_are_named() -> None:
    with pytest.raises(ValueError, match=r"one of \('soft_nms', 'nms'\), got None"):
        suppression_options({'iou_threshold': 0.5})
    with pytest.raises(ValueError, match='nms has no option sigma, split_thr; it has'):
        suppression_options({'type': 'nms', 'split_thr': 100, 'sigma': 1})
    with pytest.raises(ValueError, match='nms needs an iou_threshold'):
        suppression_options({'type': 'nms'})


def test_class_agnostic_is_no_word() -> None:
    nms = {'type': 'soft_nms', 'class_agnostic': 'no'}
    with pytest.raises(ValueError, match="class_agnostic must be True .* got 'no'"):
        check_suppression({'nms': nms})


@pytest.mark.parametrize(
    ('test_cfg', 'message'),
    [
        ({'score_thr': 'x'}, "score_thr must be a number, got 'x'"),
        ({'nms_pre': '1000'}, "nms_pre must be a whole number, got '1000'"),
        ({'nms': 'nms'}, "nms must be a dict such as .* got 'nms'"),
        ({'nms': [{'type': 'nms'}]}, 'nms must be a dict such as'),
    ],
)
def test_settings_without_sense_are_named(test_cfg: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_suppression(test_cfg)


def test_of_equal_scores_the_first_are_kept() -> None:
    scores = torch.tensor([[[0.5, 0.75], [0.5, NAN], [0.5, 0.125]], [[NAN, 0.0]] * 3])

    kept = strongest(scores, 3)

    assert kept[0].tolist() == [[0.5, 0.75], [0.5, NO], [NO, NO]]
    # Two of the three that are equal, and none that is no number.
    assert strongest(scores, 2)[1].tolist() == [[NO, 0.0], [NO, 0.0], [NO, NO]]
    assert strongest(scores, -1) is strongest(scores, 6) is scores
    assert strongest_of_classes(scores, 1)[0].tolist() == [
        [0.5, 0.75],
        [NO, NO],
        [NO, NO],
    ]
    # A limit of more scores than there are numbers leaves all of these.
    assert (strongest(scores, 5)[1] > NO).sum() == 3


def test_many_equal_scores_leave_as_many_as_the_limit() -> None:
    scores = torch.randint(0, 3, (2, 500, 7)).float()

    kept = strongest(scores, 1000) > NO

    assert kept.flatten(1).sum(dim=1).tolist() == [1000, 1000]
    # What is left out is no higher than what is kept.
    for image, own in zip(scores, kept, strict=True):
        assert image[~own].max() <= image[own].min()
