from types import SimpleNamespace

import pytest
from mmdet.datasets import CocoDataset, CocoPanopticDataset, MOTChallengeDataset
from mmdet.models.dense_heads import RPNHead, SSDHead
from torch import nn

from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.datasets.coco import DatasetError
from m2det_mmdet.engine import ClassCheckHook
from m2det_mmdet.engine.hooks.class_check_hook import check_classes
from m2det_mmdet.utils.configs import load_config


def _runner(num_classes: int, classes: tuple[str, ...]) -> SimpleNamespace:
    anchors = {
        'type': 'SSDAnchorGenerator',
        'strides': [8],
        'ratios': [[2]],
        'min_sizes': [30],
        'max_sizes': [60],
    }
    model = nn.Module()
    model.bbox_head = SSDHead(
        num_classes=num_classes, in_channels=(8,), anchor_generator=anchors
    )
    model.rpn_head = RPNHead(in_channels=8)
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo={'classes': classes}))
    return SimpleNamespace(
        model=model,
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
    )


@pytest.mark.parametrize('mode', ['train', 'val', 'test'])
def test_another_number_of_classes_stops(mode: str) -> None:
    check = getattr(ClassCheckHook(), f'before_{mode}_epoch')

    check(_runner(2, ('cat', 'dog')))
    with pytest.raises(
        DatasetError,
        match=r'model\.bbox_head predicts 3 classes, .* has 2 \(cat, dog\): set '
        r'model\.bbox_head\.num_classes=2',
    ):
        check(_runner(3, ('cat', 'dog')))


@pytest.mark.parametrize(
    'config',
    [
        'mmdet::guided_anchoring/ga-faster-rcnn_r50-caffe_fpn_1x_coco.py',
        'mmdet::cascade_rpn/cascade-rpn_faster-rcnn_r50-caffe_fpn_1x_coco.py',
        'mmdet::rpn/rpn_r50_fpn_1x_coco.py',
        'mmdet::guided_anchoring/ga-rpn_r50-caffe_fpn_1x_coco.py',
    ],
)
def test_heads_that_know_no_classes_pass(config: str) -> None:
    model = structure_of(load_config(config))
    dataset = SimpleNamespace(metainfo=CocoDataset.METAINFO)

    check_classes(model, dataset)


@pytest.mark.parametrize('number', [80, 133])
def test_a_head_may_predict_the_things_of_panoptic_data(number: int) -> None:
    dataset = SimpleNamespace(metainfo=CocoPanopticDataset.METAINFO)

    check_classes(_runner(number, ()).model, dataset)
    with pytest.raises(DatasetError, match='predicts 81 classes, .* has 133'):
        check_classes(_runner(81, ()).model, dataset)


def test_a_tracker_need_not_know_all_that_was_annotated() -> None:
    dataset = MOTChallengeDataset(lazy_init=True)

    assert len(dataset.metainfo['classes']) == 13
    check_classes(_runner(1, ()).model, dataset)


def test_data_without_names_of_classes_pass() -> None:
    model = _runner(3, ()).model

    check_classes(model, SimpleNamespace(metainfo={}))
