import pytest

from m2det_mmdet.models.utils.suppression import check_suppression, suppression_options


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
