import json
from dataclasses import replace
from pathlib import Path

import pytest
from mmdet.datasets import VOCDataset
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from m2det_mmdet.datasets.layouts import DataLayout, Split
from m2det_mmdet.recipes.data import (
    annotation_files,
    check_metric,
    count_images,
    known_classes,
    repetitions,
    set_num_classes,
    use_data,
)
from m2det_mmdet.recipes.error import RecipeError

CLASSES = ('disc', 'car')
BOXES = [{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations', 'with_bbox': True}]
MASKS = [{'type': 'LoadAnnotations', 'with_bbox': True, 'with_mask': True}]


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    """A data set with a mask for one of two objects, and without a test split."""
    ann_file = tmp_path / 'train.json'
    objects = [{'segmentation': [[0, 0, 1, 0, 1, 1]]}, {'segmentation': []}]
    ann_file.write_text(json.dumps({'annotations': objects}))
    train = Split(ann_file, tmp_path / 'train', 8)
    val = Split(tmp_path / 'val.json', tmp_path / 'val', 4)
    return DataLayout(CLASSES, 'coco', train, val, None)


def _config(train: dict, **others: object) -> Config:
    return Config(
        {
            'model': {'bbox_head': {'num_classes': 80}},
            'train_dataloader': {'dataset': train},
            'test_dataloader': {
                'dataset': {
                    'type': 'CocoDataset',
                    'data_root': 'data/coco/',
                    'ann_file': 'val.json',
                    'pipeline': BOXES,
                }
            },
            **others,
        }
    )


def test_loaders_read_the_data_through_the_pipelines_of_the_config(
    layout: DataLayout,
) -> None:
    train = {
        'type': 'VOCDataset',
        'ann_file': 'trainval.txt',
        'filter_cfg': {'filter_empty_gt': True, 'min_size': 32},
        'keep_crowds': True,
        'inclusive_boxes': True,
        'pipeline': BOXES,
    }
    evaluator = {
        'type': 'GradedCocoMetric',
        'ann_file': 'a.json',
        'metric': 'bbox',
        'proposal_nums': (1, 10, 300),
    }
    cfg = _config(train, test_evaluator=evaluator)

    use_data(cfg, layout)

    assert cfg.train_dataloader.dataset == {
        'type': 'CheckedCocoDataset',
        'data_root': '',
        'ann_file': str(layout.train.ann_file),
        'data_prefix': {'img': str(layout.train.images)},
        'metainfo': {'classes': CLASSES},
        'pipeline': BOXES,
        'filter_cfg': {'filter_empty_gt': True, 'min_size': 32},
        'keep_crowds': True,
        'inclusive_boxes': True,
    }
    test = cfg.test_dataloader.dataset
    assert (test.ann_file, test.test_mode) == (str(layout.val.ann_file), True)
    assert cfg.test_evaluator == {
        'type': 'GradedCocoMetric',
        'metric': ['bbox'],
        'proposal_nums': (1, 10, 300),
        'ann_file': str(layout.val.ann_file),
    }
    assert cfg.model.bbox_head.num_classes == 2
    assert annotation_files(cfg, 'train') == (str(layout.train.ann_file),)


def test_a_config_that_validates_does_so_on_the_data(layout: DataLayout) -> None:
    cfg = _config({'type': 'CocoDataset', 'pipeline': BOXES})
    cfg.val_dataloader = {'dataset': {'type': 'CocoDataset', 'pipeline': BOXES}}
    layout = replace(layout, test=Split(Path('test.json'), Path('images'), 1))

    use_data(cfg, layout)

    val, test = cfg.val_dataloader.dataset, cfg.test_dataloader.dataset
    assert (val.ann_file, val.test_mode) == (str(layout.val.ann_file), True)
    assert cfg.val_evaluator.ann_file == str(layout.val.ann_file)
    assert test.ann_file == cfg.test_evaluator.ann_file == 'test.json'


def test_a_metric_of_another_family_becomes_cocos(layout: DataLayout) -> None:
    cfg = _config({'type': 'CocoDataset', 'pipeline': BOXES})
    cfg.test_evaluator = {'type': 'VOCMetric', 'metric': 'mAP'}

    use_data(cfg, layout)

    assert cfg.test_evaluator.type == 'CocoMetric'


def test_a_detector_of_something_else_than_boxes_is_refused(
    layout: DataLayout,
) -> None:
    cfg = _config({'type': 'CocoDataset', 'pipeline': BOXES})
    cfg.test_evaluator = {'type': 'CocoMetric', 'metric': 'proposal_fast'}

    with pytest.raises(RecipeError, match='evaluated by proposal_fast, not by bbo'):
        use_data(cfg, layout)


@pytest.mark.parametrize(
    'evaluator',
    [None, {'type': 'VOCMetric'}, {'type': 'CocoMetric', 'metric': 'proposal'}],
)
def test_own_data_need_a_metric_that_gives_the_ap_of_boxes(
    evaluator: dict | None,
) -> None:
    cfg = _config({'type': 'CocoDataset'}, test_evaluator=evaluator)

    with pytest.raises(RecipeError, match='gives no box AP of COCO: give --data'):
        check_metric(cfg)

    cfg.test_evaluator = [{'type': 'VOCMetric'}, {'type': 'GradedCocoMetric'}]
    check_metric(cfg)


@pytest.mark.parametrize(
    ('setting', 'name'),
    [
        ({'format_only': True}, 'format_only=True'),
        ({'prefix': 'mine'}, 'a prefix'),
        ({'metric_items': ['mAP_50']}, 'metric_items without mAP'),
    ],
)
def test_a_metric_that_does_not_tell_the_ap_is_refused(
    setting: dict, name: str
) -> None:
    metric = {'type': 'CocoMetric', 'metric': 'bbox', **setting}
    cfg = _config({'type': 'CocoDataset'}, test_evaluator=metric)

    with pytest.raises(RecipeError, match=f'test_evaluator has {name}, with'):
        check_metric(cfg)

    check_metric(_config({}, test_evaluator={'type': 'CocoMetric', 'prefix': None}))


def test_semantic_segmentations_are_not_had(layout: DataLayout) -> None:
    steps = [{'type': 'LoadAnnotations', 'with_bbox': True, 'with_seg': True}]
    cfg = _config({'type': 'CocoDataset', 'pipeline': steps})

    with pytest.raises(RecipeError, match='learns from semantic segmentations'):
        use_data(cfg, layout)


def test_images_that_do_not_load_end_in_one_sentence(layout: DataLayout) -> None:
    cfg = _config({'type': 'CocoDataset', 'pipeline': BOXES})
    use_data(cfg, layout)

    with pytest.raises(RecipeError, match=r'to test on cannot be loaded: .*val.js'):
        count_images(cfg, 'test')


def test_wrappers_that_repeat_or_join_images_give_way_to_one_pass(
    layout: DataLayout,
) -> None:
    parts = [{'type': 'VOCDataset', 'pipeline': BOXES} for _ in range(2)]
    joined = {'type': 'ConcatDataset', 'datasets': parts}
    cfg = _config({'type': 'RepeatDataset', 'times': 3, 'dataset': joined})

    use_data(cfg, layout)

    assert cfg.train_dataloader.dataset.type == 'CheckedCocoDataset'
    assert cfg.train_dataloader.dataset.pipeline == BOXES


def test_a_wrapper_that_mixes_images_is_kept(layout: DataLayout) -> None:
    inner = {'type': 'CocoDataset', 'pipeline': BOXES}
    mixed = {'type': 'MultiImageMixDataset', 'dataset': inner, 'pipeline': MASKS[:0]}
    cfg = _config(mixed)

    use_data(cfg, layout)

    dataset = cfg.train_dataloader.dataset
    assert (dataset.type, dataset.pipeline) == ('MultiImageMixDataset', [])
    assert dataset.dataset.type == 'CheckedCocoDataset'


@pytest.mark.parametrize(
    ('train', 'message'),
    [
        (
            {'type': 'Unheard', 'dataset': {'type': 'CocoDataset', 'pipeline': []}},
            'wrapped in Unheard, and only RepeatDataset',
        ),
        (
            {
                'type': 'ConcatDataset',
                'datasets': [
                    {'type': 'CocoDataset', 'pipeline': BOXES},
                    {'type': 'CocoDataset', 'pipeline': []},
                ],
            },
            'joins 2 data sets with different pipelines',
        ),
        ({'type': 'CocoDataset', 'pipeline': MASKS}, 'learns from masks'),
    ],
)
def test_what_cannot_be_pointed_at_the_data_is_refused(
    train: dict, message: str, layout: DataLayout
) -> None:
    with pytest.raises(RecipeError, match=message):
        use_data(_config(train), layout)


def test_masks_of_the_data_are_enough_for_a_detector_of_masks(
    layout: DataLayout,
) -> None:
    objects = [{'id': 1, 'segmentation': [[0, 0, 1, 0, 1, 1]]}]
    layout.train.ann_file.write_text(json.dumps({'annotations': objects}))
    cfg = _config({'type': 'CocoDataset', 'pipeline': MASKS})
    cfg.test_evaluator = {'type': 'CocoMetric', 'metric': ['bbox', 'segm']}

    use_data(cfg, layout)

    assert cfg.test_evaluator.metric == ['bbox', 'segm']


@pytest.mark.parametrize(
    ('config', 'heads'),
    [
        ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco', 1),
        ('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco', 3),
        ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco', 2),
        ('retinanet/retinanet_r50_fpn_1x_coco', 1),
    ],
)
def test_every_head_learns_the_classes_of_the_data(config: str, heads: int) -> None:
    model = get_config(f'mmdet::{config}.py').model

    set_num_classes(model, 7)

    assert _numbers(model) == [7] * heads


@pytest.mark.parametrize(('part', 'number'), [('backbone', 1000), ('rpn_head', 1)])
def test_parts_with_classes_of_their_own_keep_them(part: str, number: int) -> None:
    model = ConfigDict(
        {part: {'num_classes': number}, 'bbox_head': {'num_classes': 80}}
    )

    set_num_classes(model, 3)

    assert (model[part].num_classes, model.bbox_head.num_classes) == (number, 3)


def test_classes_that_a_config_does_not_name_are_those_of_its_data_set() -> None:
    cfg = Config({'test_dataloader': {'dataset': {'type': 'VOCDataset'}}})

    assert known_classes(cfg, 'test') == VOCDataset.METAINFO['classes']


def test_data_whose_rare_classes_are_taken_more_often_are_repeated() -> None:
    inner = {'type': 'VOCDataset'}
    train = {'type': 'ClassBalancedDataset', 'oversample_thr': 0.1, 'dataset': inner}

    assert repetitions(_config(train)) == ('ClassBalancedDataset (0.1)',)


def _numbers(settings: object) -> list[int]:
    """All ``num_classes`` in nested settings."""
    if isinstance(settings, list | tuple):
        return [number for value in settings for number in _numbers(value)]
    if not isinstance(settings, dict):
        return []
    own = [settings['num_classes']] if 'num_classes' in settings else []
    return own + _numbers(list(settings.values()))
