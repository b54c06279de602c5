"""The settings of the release configs that no recorded number holds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
LEAVES = sorted((ROOT / 'configs/m2det/release').glob('*_release.py'))
BGR = [104, 117, 123]

each_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)


@each_leaf
def test_images_and_their_augmentation(leaf: Path) -> None:
    config = Config.fromfile(leaf)
    dataset = config.train_dataloader.dataset
    size = int(leaf.stem.split('_')[2])
    assert len(LEAVES) == 5

    steps = {step.type: TRANSFORMS.build(step) for step in dataset.pipeline}
    assert list(steps) == [
        'LoadImageFromFile',
        'LoadAnnotations',
        'MinIoURandomCrop',
        'SSDPhotometricDistortion',
        'Expand',
        'Resize',
        'RandomFlip',
        'FilterAnnotations',
        'PackDetInputs',
    ]
    assert steps['MinIoURandomCrop'].min_ious == (0.1, 0.3, 0.5, 0.7, 0.9)
    assert dataset.pipeline[3] == {'type': 'SSDPhotometricDistortion'}
    expand = steps['Expand']
    assert (expand.prob, expand.ratio_range, expand.mean) == (0.6, (1, 4), BGR)
    resize = steps['Resize']
    assert (resize.scale, resize.keep_ratio) == ((size, size), False)
    assert steps['RandomFlip'].prob == 0.5
    assert steps['FilterAnnotations'].min_gt_bbox_wh == [size / 100] * 2

    assert dataset.keep_crowds
    assert dataset.inclusive_boxes
    assert dataset.filter_cfg == {'filter_empty_gt': False, 'min_size': 0}
    assert config.train_dataloader.batch_size == 16


@each_leaf
def test_pixels_are_bgr_minus_their_mean(leaf: Path) -> None:
    settings = Config.fromfile(leaf).model.data_preprocessor
    preprocess = MODELS.build(settings)
    image = torch.tensor(BGR, dtype=torch.uint8).view(3, 1, 1).expand(3, 2, 2)
    inputs = preprocess({'inputs': [image + 5]}, training=False)['inputs']

    assert inputs.unique().tolist() == [5]


@each_leaf
def test_the_optimiser_and_the_metric(leaf: Path) -> None:
    config = Config.fromfile(leaf)

    assert config.optim_wrapper.optimizer == {
        'type': 'SGD',
        'lr': 4e-3,
        'momentum': 0.9,
        'weight_decay': 5e-4,
    }
    assert config.optim_wrapper.clip_grad is None
    assert not config.auto_scale_lr.enable
    assert config.val_evaluator.type == 'InclusiveCocoMetric'
    assert config.test_evaluator == config.val_evaluator
    assert config.model.backbone.get('frozen_stages', -1) == -1
    assert not config.model.backbone.get('norm_eval', False)


def test_the_head_starts_with_the_weights_of_pytorch_and_no_bias(
    release_head: torch.nn.Module,
) -> None:
    release_head.init_weights()
    conv = release_head.cls_convs[0][0]
    # Uniform within 1 / sqrt(fan in), here of 8 channels in 3x3 cells.
    bound = 72**-0.5

    assert not conv.bias.any()
    assert 0.98 * bound < conv.weight.abs().max() <= bound
    np.testing.assert_allclose(conv.weight.std().item(), bound / 3**0.5, rtol=0.03)
