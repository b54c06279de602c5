"""RefineDet's configs cost, train and test what the paper and the port say."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from m2det_mmdet.analysis.complexity import measure

CONFIGS = Path(__file__).parents[2] / 'configs/refinedet'
OPTIMIZER = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
LARGE = [f'{backbone}_{size}' for backbone in ('vgg', 'r101') for size in (320, 512)]
LARGE += ['vgg_320_voc0712', 'vgg_512_voc0712']

each_large_leaf = pytest.mark.parametrize('name', LARGE)


def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'refinedet_{name}.py')


@pytest.mark.parametrize(
    ('name', 'parameters', 'gflop'),
    [
        ('vgg_320_voc0712', 34_440_884, 75.55),
        ('vgg_320', 36_100_484, 77.31),
        ('vgg_512_voc0712', 34_440_884, 193.40),
    ],
)
def test_sizes_and_costs_of_the_port(name: str, parameters: int, gflop: float) -> None:
    found = measure(load(name))

    assert found.parameters == parameters
    assert found.flops / 1e9 == pytest.approx(gflop, abs=0.005)


@each_large_leaf
def test_the_schedule_of_the_paper(name: str) -> None:
    config = load(name)
    (steps,) = config.param_scheduler
    iterations, milestones = 400_000, [280_000, 360_000]
    if 'voc' in name:
        iterations, milestones = 120_000, [80_000, 100_000]

    assert config.train_cfg.max_iters == iterations
    steps = PARAM_SCHEDULERS.build(steps, default_args={'optimizer': OPTIMIZER})
    assert sorted(steps.milestones) == milestones
    assert (steps.gamma, steps.by_epoch) == (0.1, False)
    assert config.optim_wrapper.optimizer == {
        'type': 'SGD',
        'lr': 1e-3,
        'momentum': 0.9,
        'weight_decay': 5e-4,
    }
    assert config.train_dataloader.batch_size == 32
    assert config.auto_scale_lr == {'enable': True, 'base_batch_size': 32}
    assert not config.default_hooks.checkpoint.by_epoch
    assert not config.log_processor.by_epoch


@each_large_leaf
def test_the_settings_of_the_paper(name: str) -> None:
    model = load(name).model

    assert model.train_cfg.objectness_thr == model.test_cfg.objectness_thr == 0.01
    assert model.train_cfg.filter_rule == 'drop'
    assert model.train_cfg.neg_pos_ratio == 3
    assert model.test_cfg.score_thr == 0.01
    assert (model.test_cfg.nms_pre, model.test_cfg.max_per_img) == (400, 200)
    assert model.test_cfg.nms == {'type': 'nms', 'iou_threshold': 0.45}


@each_large_leaf
def test_the_augmentation_of_ssd_in_the_order_of_its_code(name: str) -> None:
    config = load(name)
    dataset = config.train_dataloader.dataset
    parts = dataset.get('datasets', [dataset])
    size = config.model.bbox_head.anchor_generator.input_size
    for part in parts:
        steps = {step.type: step for step in part.pipeline}
        assert list(steps) == [
            'LoadImageFromFile',
            'LoadAnnotations',
            'SSDPhotometricDistortion',
            'Expand',
            'MinIoURandomCrop',
            'Resize',
            'RandomFlip',
            'PackDetInputs',
        ]
        assert steps['Resize'].scale == (size, size)
    assert len(parts) == (2 if 'voc' in name else 1)
    if 'vgg' in name:
        # BGR bytes are filled with what becomes 0 of RGB.
        preprocessor = config.model.data_preprocessor
        assert steps['Expand'].mean == preprocessor.mean[::-1] == [104, 117, 123]
        assert preprocessor.bgr_to_rgb
        assert preprocessor.std == [1, 1, 1]
