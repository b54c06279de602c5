"""Every config loads, builds, and agrees with itself."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(CONFIGS.glob('[!_]*/*.py'))
# Input size, sizes as hundredths of it, and steps, as in the authors' release.
ANCHORS = {
    320: ([8, 15, 33, 51, 69, 87, 105], [8, 16, 32, 64, 107, 320]),
    512: ([6, 15, 33, 51, 69, 87, 105], [8, 16, 32, 64, 128, 256]),
    704: ([4, 11, 23, 39, 58, 80, 105], [8, 16, 32, 64, 117, 176]),
    800: ([4, 15, 33, 51, 69, 87, 105], [8, 16, 32, 62, 115, 160]),
}
PAPER = [
    leaf
    for leaf in LEAVES
    if leaf.stem.removeprefix('m2det_')
    in ('vgg_320', 'vgg_512', 'vgg_704', 'vgg_800', 'r50_320', 'r101_320', 'r101_512')
]

each_paper_leaf = pytest.mark.parametrize('leaf', PAPER, ids=lambda leaf: leaf.stem)
each_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)


def load(leaf: Path) -> Config:
    config = Config.fromfile(leaf)
    init_default_scope(config.default_scope)
    config.model.backbone.init_cfg = None
    return config


def find(pipeline: list[dict], name: str) -> list[dict]:
    return [step for step in pipeline if step['type'] == name]


def inner(dataset: dict) -> dict:
    return dataset.get('datasets', [dataset])[0]


def test_there_are_leaves_and_no_two_share_a_name() -> None:
    names = [path.name for path in CONFIGS.rglob('*.py')]
    assert len(LEAVES) >= 11
    assert len(set(names)) == len(names)


@each_leaf
def test_it_builds_and_its_anchors_fit_its_images(leaf: Path) -> None:
    config = load(leaf)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    size = config.model.bbox_head.anchor_generator.input_size

    for loader in (config.train_dataloader, config.val_dataloader):
        (resize,) = find(inner(loader.dataset).pipeline, 'Resize')
        assert tuple(resize.scale) == (size, size)
    assert config.val_dataloader == config.test_dataloader or 'bccd' in leaf.stem
    assert len(model.neck.strides((size, size))) == len(model.bbox_head.in_channels)


@each_leaf
def test_classes_of_head_and_data_agree(leaf: Path) -> None:
    config = load(leaf)
    dataset = inner(config.train_dataloader.dataset)
    classes = dataset.get('metainfo', {}).get('classes')
    expected = {'CheckedCocoDataset': 80, 'VOCDataset': 20}[dataset.type]
    if classes:
        expected = len(classes)
    assert config.model.bbox_head.num_classes == expected


@each_leaf
def test_every_config_imports_the_package(leaf: Path) -> None:
    assert load(leaf).custom_imports['imports'] == ['m2det_mmdet']


@each_paper_leaf
def test_the_paper_schedule(leaf: Path) -> None:
    config = load(leaf)
    warm_up, steps = config.param_scheduler

    assert config.optim_wrapper.optimizer.lr == 2e-3
    assert config.auto_scale_lr == {'enable': True, 'base_batch_size': 32}
    assert (warm_up.begin, warm_up.end, warm_up.by_epoch) == (0, 5, True)
    assert list(steps.milestones) == [90, 120]
    assert config.train_cfg.max_epochs == 150
    assert config.model.test_cfg.score_thr == 0.05
    assert config.model.test_cfg.nms.method == 'linear'
    assert config.default_hooks.checkpoint.save_best == 'coco/bbox_mAP'


@each_paper_leaf
def test_the_anchors_of_the_release(leaf: Path) -> None:
    anchors = load(leaf).model.bbox_head.anchor_generator
    input_size = int(leaf.stem.rpartition('_')[2])
    sizes, steps = ANCHORS[input_size]

    assert len(PAPER) == 7
    assert anchors.input_size == input_size
    assert [round(size * 100) for size in anchors.sizes] == sizes
    assert list(anchors.steps) == steps
    assert list(anchors.ratios) == [2, 3]


def holds(neck: nn.Module, side: int) -> bool:
    try:
        return len(neck.strides((side, side))) == neck.num_scales
    except ValueError:
        return False


@each_leaf
def test_every_size_of_the_multi_scale_test_holds_the_pyramid(leaf: Path) -> None:
    config = load(leaf)
    with torch.device('meta'):
        neck = MODELS.build(config.model).neck
    views, flips, *_ = config.tta_pipeline[1].transforms
    size = config.model.bbox_head.anchor_generator.input_size
    smallest = next(side for side in range(32, size, 32) if holds(neck, side))

    assert [flip.prob for flip in flips] == [0.0, 1.0]
    # Rounded up to multiples of 32.
    sizes = [-(-size * factor // 32) * 32 for factor in (0.75, 1, 1.25, 1.5)]
    sides = [max(smallest, side) for side in sizes]
    assert [tuple(view.scale) for view in views] == [(side, side) for side in sides]
