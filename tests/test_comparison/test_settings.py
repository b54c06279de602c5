import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from m2det_mmdet.comparison.settings import differences, settings_of

CONFIG = {
    'model': {'type': 'SSD', 'neck': {'num_levels': 3}},
    'train_dataloader': {
        'batch_size': 2,
        'num_workers': 2,
        'dataset': {
            'type': 'CocoDataset',
            'data_root': 'here/',
            'ann_file': 'train.json',
            'data_prefix': {'img': 'train/'},
            'metainfo': {'classes': ('disc', 'car'), 'palette': [(0, 0, 0)]},
            'pipeline': [{'type': 'LoadImageFromFile', 'backend_args': None}],
        },
    },
    'test_evaluator': {'type': 'CocoMetric', 'ann_file': 'here/val.json'},
    'train_cfg': {'max_epochs': 2},
    'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
    'param_scheduler': [{'type': 'StepLR', 'step_size': 1}],
    'auto_scale_lr': {'enable': False, 'base_batch_size': 16},
    'randomness': {'seed': 0},
    'default_hooks': {'logger': {'type': 'LoggerHook', 'interval': 50}},
    'custom_hooks': [
        {'type': 'EMAHook', 'momentum': 0.1},
        {'type': 'mmdet.NumClassCheckHook'},
    ],
    'necks': ['FPN'],
}
DATA = {'train': [{'annotations': 'a', 'images': 'b'}], 'test': []}


def _changes(changed: dict[str, Any], config: dict = CONFIG) -> list[str]:
    """What differs once settings are set, by their dotted keys."""
    old, new = Config(config), Config(config)
    new.merge_from_dict(changed)
    return differences(settings_of(old, DATA), settings_of(new, DATA))


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('necks', ['MLFPN']),
        ('helper', 7),
        ('log_level', 'ERROR'),
        ('log_processor', {'window_size': 1}),
        ('visualizer', {'type': 'DetLocalVisualizer'}),
        ('default_hooks.logger.interval', 1),
        ('default_hooks.timer', {'type': 'IterTimerHook'}),
        ('default_hooks.visualization', {'type': 'DetVisualizationHook'}),
        ('custom_hooks.1.priority', 10),
        ('work_dir', '/elsewhere'),
        ('experiment_name', 'second'),
        ('launcher', 'none'),
        ('env_cfg', {'cudnn_benchmark': True}),
        ('train_dataloader.num_workers', 0),
        ('train_dataloader.persistent_workers', True),
        ('train_dataloader.dataset.data_root', 'there/'),
        ('train_dataloader.dataset.ann_file', '/there/train.json'),
        ('train_dataloader.dataset.data_prefix.img', '/there/train'),
        ('train_dataloader.dataset.metainfo.palette', [(9, 9, 9)]),
        ('train_dataloader.dataset.pipeline.0.backend_args', 'petrel'),
        ('test_evaluator.ann_file', 'there/val.json'),
        ('test_evaluator.outfile_prefix', 'there/x'),
        ('auto_scale_lr.base_batch_size', 8),
    ],
)
def test_what_changes_no_result_does_not_count(key: str, value: object) -> None:
    assert _changes({key: value}) == []


@pytest.mark.parametrize(
    ('key', 'value', 'difference'),
    [
        ('model.neck.num_levels', 4, 'model.neck.num_levels: 3, now 4'),
        ('data_preprocessor', {'type': 'P'}, 'data_preprocessor.type: absent, now P'),
        ('load_from', 'w.pth', 'load_from: absent, now w.pth'),
        (
            'custom_imports.imports',
            ['m2det_mmdet.ops.fast_nms'],
            'custom_imports.imports.0: absent, now m2det_mmdet.ops.fast_nms',
        ),
        (
            'train_dataloader.dataset.pipeline.0.to_float32',
            True,
            'train_dataloader.dataset.pipeline.0.to_float32: absent, now True',
        ),
        (
            'train_dataloader.dataset.metainfo.classes',
            ('disc',),
            'train_dataloader.dataset.metainfo.classes.1: car, now absent',
        ),
        ('train_dataloader.batch_size', 4, 'train_dataloader.batch_size: 2, now 4'),
        ('test_dataloader', {'batch_size': 1}, 'test_dataloader.batch_size: absent, '),
        ('train_cfg.max_epochs', 3, 'train_cfg.max_epochs: 2, now 3'),
        ('optim_wrapper.optimizer.lr', 0.2, 'optim_wrapper.optimizer.lr: 0.1, now 0.2'),
        ('param_scheduler.0.step_size', 2, 'param_scheduler.0.step_size: 1, now 2'),
        ('auto_scale_lr.enable', True, 'auto_scale_lr.base_batch_size: absent, now 16'),
        ('randomness.seed', 1, 'randomness.seed: 0, now 1'),
        ('test_evaluator.metric', 'bbox', 'test_evaluator.metric: absent, now bbox'),
        ('test_cfg', {'fp16': True}, 'test_cfg.fp16: absent, now True'),
        ('custom_hooks.0.momentum', 0.2, 'hooks.custom.0.momentum: 0.1, now 0.2'),
        ('default_hooks.mine', {'type': 'Mine'}, 'hooks.mine.type: absent, now Mine'),
    ],
)
def test_what_changes_a_result_counts_and_is_named(
    key: str, value: object, difference: str
) -> None:
    assert _changes({key: value})[0].startswith(difference)


@pytest.mark.parametrize(
    ('use', 'what', 'sentence'),
    [
        ('train', 'annotations', 'the annotations to train on have another content'),
        ('test', 'images', 'the images to test on have other names or sizes'),
    ],
)
def test_other_data_count(use: str, what: str, sentence: str) -> None:
    digests = {'annotations': 'a', 'images': 'b'}
    old, new = (
        settings_of(Config(), {use: [found]})
        for found in (digests, {**digests, what: ''})
    )

    assert differences(old, new) == [sentence]


@pytest.mark.parametrize('key', ['load_from', 'model.init_cfg.checkpoint'])
def test_weights_count_by_what_is_in_their_file(key: str, tmp_path: Path) -> None:
    for name, content in (('a', 'one'), ('b', 'one'), ('c', 'two')):
        (tmp_path / name).write_text(content)
    files = [{key: str(tmp_path / name)} for name in 'abc']
    config = Config(CONFIG)
    config.merge_from_dict(files[0])

    assert _changes(files[1], config.to_dict()) == []
    (change,) = _changes(files[2], config.to_dict())
    assert change.startswith(f'{key}: a file with the digest ')


def test_folders_of_an_earlier_version_keep_working() -> None:
    # It kept the whole config, and of the data the annotations.
    settings = {
        'config': {**CONFIG, 'log_level': 'INFO'},
        'annotations': {'train': ['a'], 'test': []},
    }
    old = json.loads(json.dumps(settings))
    new = settings_of(Config(CONFIG), DATA)

    assert differences(old, new) == []
    changed = {**CONFIG, 'randomness': {'seed': 1}}
    assert differences(old, settings_of(Config(changed), DATA)) == [
        'randomness.seed: 0, now 1'
    ]
    other = {**DATA, 'train': [{'annotations': 'other', 'images': 'b'}]}
    assert differences(old, settings_of(Config(CONFIG), other)) == [
        'the annotations to train on have another content'
    ]
