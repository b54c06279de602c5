from collections.abc import Callable

import numpy as np
import pytest

from m2det_mmdet.analysis.anchors import check_fit, fit_of
from m2det_mmdet.analysis.anchors.fit import AnchorFit, class_mean
from m2det_mmdet.analysis.anchors.heads import NothingToFit, find_head
from m2det_mmdet.analysis.anchors.objects import Objects
from m2det_mmdet.datasets.error import DatasetError
from m2det_mmdet.datasets.faults import KINDS, Faults, Level, Strict
from m2det_mmdet.utils.configs import load_config
from m2det_mmdet.utils.errors import M2DetError

# Inputs of 128x128 pixels, on which a map of 16x16 cells has squares of 12.8 pixels
# around (4, 4), (12, 4) and so on, and larger ones.
SCENES = 'm2det_r18_scenes'
RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
GOOD = (5.6, 5.6, 12.8, 12.8)
THIN = (20, 60, 60, 3)


def _fit(sides: list, ious: list, areas: list, classes: list) -> AnchorFit:
    count = len(sides)
    objects = Objects(
        np.zeros((count, 2)),
        np.array(sides, dtype=float),
        np.array(areas, dtype=float),
        np.array(classes),
        np.zeros(count, dtype=int),
        np.array([[128.0, 128.0]]),
        np.arange(count),
    )
    return AnchorFit(objects, (((12.8, 12.8),),), np.array(ious), 0.7)


FIT = _fit(
    sides=[(10, 10), (30, 20), (20, 30), (29, 20)],
    ious=[0.9, 0.5, 0.4, 0.6],
    areas=[1023, 1024, 9215, 9216],
    classes=[1, 1, 1, 2],
)


def test_recall_counts_objects_from_the_threshold_on() -> None:
    assert FIT.recall() == 0.75
    assert FIT.recall(0.55) == 0.5
    assert FIT.mean_iou == pytest.approx(0.6)
    # Two of three, and one of one.
    assert FIT.class_recall() == pytest.approx((2 / 3 + 1) / 2)


def test_groups_are_of_coco_by_size_and_of_the_input_by_shape() -> None:
    groups = {x.name: (x.count, x.reached) for x in FIT.groups()}

    assert groups == {
        'small': (1, 1),
        'medium': (2, 1),
        'large': (1, 1),
        'wide': (1, 1),
        'square': (2, 2),
        'tall': (1, 0),
    }
    assert np.isnan(_fit([(1, 1)], [1], [1], [1]).groups()[1].recall)


def test_classes_weigh_the_same() -> None:
    values, classes = np.array([1.0, 0.0, 0.0, 0.5]), np.array([7, 7, 7, 3])

    assert class_mean(values, classes) == pytest.approx((1 / 3 + 0.5) / 2)


def test_anchors_of_a_config_are_compared_with_training_objects(
    folder_of: Callable,
) -> None:
    fit = fit_of(load_config(SCENES), folder_of({(128, 128): [GOOD, THIN]}))

    assert fit.best_ious[0] == pytest.approx(1, abs=1e-6)
    assert fit.best_ious[1] < 0.3
    assert fit.recall() == 0.5
    assert fit.iou_thr == 0.5
    assert [len(level) for level in fit.shapes] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ('good', 'level'), [(19, Level.NOTE), (18, Level.FAULT)], ids=['5 %', 'more']
)
def test_many_unreached_objects_are_a_fault(
    good: int, level: Level, folder_of: Callable
) -> None:
    folder = folder_of({(128, 128): [GOOD] * good + [THIN]})
    faults = Faults()

    check_fit(load_config(SCENES), folder, faults)

    (finding,) = faults.findings.values()
    assert finding.kind.name == 'anchors-unreached'
    assert KINDS['anchors-unreached'].level == Level.FAULT
    assert finding.count == 1
    assert faults.level == level
    assert finding.examples == [
        f'1 of {good + 1} training objects have no anchor of m2det_r18_scenes at IoU '
        '0.5: all are longer or rounder than the anchors of their size: they '
        'need anchors whose longer side is about 20.0 times the shorter.'
    ]


def test_what_fitted_anchors_do_not_reach_is_told_as_such(folder_of: Callable) -> None:
    faults = Faults()

    check_fit(load_config(SCENES), folder_of({(128, 128): [THIN]}), faults, fitted=True)

    (finding,) = faults.findings.values()
    assert 'of m2det_r18_scenes, fitted to them, at IoU 0.5: ' in finding.examples[0]


def test_a_strict_check_stops_at_many_alone(folder_of: Callable) -> None:
    cfg = load_config(SCENES)

    check_fit(cfg, folder_of({(128, 128): [GOOD] * 19 + [THIN]}), Strict())
    with pytest.raises(DatasetError, match='1 of 2 training objects have no anchor'):
        check_fit(cfg, folder_of({(128, 128): [GOOD, THIN]}), Strict())


@pytest.mark.parametrize(
    'name',
    [
        SCENES,
        'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
        'mmdet::atss/atss_r50_fpn_1x_coco.py',
    ],
)
def test_a_check_has_nothing_to_say_where_all_is_reached_or_nothing_fits(
    name: str, folder_of: Callable
) -> None:
    faults = Faults()

    check_fit(load_config(name), folder_of({(128, 128): [GOOD]}), faults)
    check_fit(load_config(name), folder_of({(128, 128): []}), faults)

    assert faults.findings == {}


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 'has no anchors: '),
        ('mmdet::atss/atss_r50_fpn_1x_coco.py', 'matches by ATSSAssigner, so that no'),
        ('mmdet::yolo/yolov3_d53_8xb8-320-273e_coco.py', 'matches by GridAssigner'),
        ('mmdet::cascade_rpn/cascade-rpn_r50-caffe_fpn_1x_coco.py', 'has no anchors: '),
    ],
)
def test_a_config_without_anchors_to_fit_is_named(name: str, message: str) -> None:
    with pytest.raises(NothingToFit, match=message) as caught:
        find_head(load_config(name))
    assert str(caught.value).count('. ') == 0


def test_anchors_of_another_type_are_named() -> None:
    key = 'model.bbox_head.anchor_generator.type'
    cfg = load_config(RETINANET, {key: 'LegacyAnchorGenerator'})

    with pytest.raises(NothingToFit, match='come from LegacyAnchorGenerator, which is'):
        find_head(cfg)


def test_the_head_of_two_stages_is_the_rpn() -> None:
    cfg = load_config('mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py')

    head = find_head(cfg)

    assert (head.name, head.iou_thr, head.border) == ('rpn_head', 0.7, 0)
    assert head.settings['scales'] == [8]


def test_settings_that_do_not_build_are_explained() -> None:
    options = {'model.bbox_head.anchor_generator.stride': 8}

    with pytest.raises(M2DetError, match='takes no argument stride: it takes clip'):
        find_head(load_config(SCENES, options))


def test_a_number_of_sizes_that_the_network_does_not_have_is_named(
    folder_of: Callable,
) -> None:
    cfg = load_config(RETINANET, {'model.bbox_head.anchor_generator.strides': [8, 16]})

    with pytest.raises(M2DetError, match=r'has 2 scales, but the network makes 5 maps'):
        fit_of(cfg, folder_of({(128, 128): [GOOD]}))


def test_no_object_is_named(folder_of: Callable) -> None:
    with pytest.raises(NothingToFit, match='/data/mine has no object to fit'):
        fit_of(load_config(SCENES), folder_of({(128, 128): []}))
