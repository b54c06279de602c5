from pathlib import Path

import pytest
from mmengine.device import utils

from m2det_mmdet.datasets.layouts import DataLayout, Split
from m2det_mmdet.recipes.own_data import (
    default_config,
    default_epochs,
    fit_learning_rate,
    use_own_data,
)
from m2det_mmdet.utils.configs import load_config


def _layout(images: int) -> DataLayout:
    train = Split(Path('/data/train.json'), Path('/data'), images)
    val = Split(Path('/data/val.json'), Path('/data'), 2)
    return DataLayout(('a', 'b'), 'voc', train, val, None)


@pytest.mark.parametrize(
    'name', ['m2det_r18_320', 'm2det_s', 'm2det_vgg_512', 'ssd_vgg_300']
)
def test_a_config_learns_from_own_data_and_keeps_what_people_look_at(name: str) -> None:
    cfg = load_config(name)

    use_own_data(cfg, _layout(100))

    assert cfg.model.bbox_head.num_classes == 2
    assert cfg.train_dataloader.dataset.ann_file == '/data/train.json'
    assert cfg.val_dataloader.dataset.ann_file == '/data/val.json'
    assert cfg.test_evaluator.ann_file == '/data/val.json'
    assert cfg.train_dataloader.dataset.filter_cfg.min_size == 0
    assert cfg.default_hooks.checkpoint.save_best == 'coco/bbox_mAP'
    kinds = [hook.type for hook in cfg.custom_hooks]
    assert {'PlainNamesHook', 'ResultsTableHook', 'FiniteLossHook'} <= {*kinds}
    assert len({*kinds}) == len(kinds)
    assert cfg.custom_imports.imports == ['m2det_mmdet']


def test_a_config_of_others_is_made_complete() -> None:
    cfg = load_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    # It validates each tenth epoch, at the end each one.
    assert cfg.train_cfg.dynamic_intervals

    use_own_data(cfg, _layout(100))

    assert cfg.custom_imports.imports == ['m2det_mmdet']
    assert 'FiniteLossHook' in [hook.type for hook in cfg.custom_hooks]
    assert {*cfg.train_cfg} == {'type', 'max_epochs'}


@pytest.mark.parametrize(
    ('settings', 'rate'),
    [
        ({'base_batch_size': 16, 'enable': False}, 0.001),
        ({'base_batch_size': 8, 'enable': False}, 0.002),
        # Never up: some configs name a smaller batch than theirs.
        ({'base_batch_size': 4, 'enable': False}, 0.002),
        # MMEngine does it.
        ({'base_batch_size': 16, 'enable': True}, 0.002),
        (None, 0.002),
    ],
)
def test_a_learning_rate_for_more_images_is_scaled(
    settings: dict | None, rate: float
) -> None:
    cfg = load_config('m2det_r18_320')
    cfg.auto_scale_lr = settings
    cfg.train_dataloader.batch_size = 8

    remarks = fit_learning_rate(cfg)

    assert cfg.optim_wrapper.optimizer.lr == rate
    assert len(remarks) == (rate < 0.002)


def test_few_images_are_one_batch() -> None:
    cfg = load_config('m2det_r18_320')
    use_own_data(cfg, _layout(3))

    assert cfg.train_dataloader.batch_size == 3


def test_a_config_without_validation_gets_one() -> None:
    cfg = load_config('m2det_r18_320')
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    use_own_data(cfg, _layout(100))

    assert cfg.val_dataloader.dataset.ann_file == '/data/val.json'
    assert cfg.val_evaluator.ann_file == '/data/val.json'
    assert cfg.val_cfg.type == 'ValLoop'


@pytest.mark.parametrize(
    ('images', 'epochs'), [(1, 100), (200, 50), (205, 49), (1000, 10), (10**6, 8)]
)
def test_few_images_are_learned_longer(images: int, epochs: int) -> None:
    assert default_epochs(images) == epochs


def test_the_device_decides_what_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, 'DEVICE', 'cpu')
    assert default_config() == ('m2det_r18_320', 'm2det_r18_scenes')
    monkeypatch.setattr(utils, 'DEVICE', 'cuda')
    assert default_config() == ('m2det_s', None)
