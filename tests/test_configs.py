"""Every config loads, builds, and agrees with itself."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(CONFIGS.glob('[!_]*/*.py'))
COCO_320 = [p for p in LEAVES if p.stem in ('m2det_vgg_320', 'm2det_r101_320')]

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
    names = [leaf.name for leaf in CONFIGS.rglob('*.py') if leaf in LEAVES]
    assert len(names) >= 9
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
    maps = [
        (round(size / y), round(size / x)) for y, x in model.neck.strides((size,) * 2)
    ]
    steps = config.model.bbox_head.anchor_generator.steps
    priors = model.bbox_head.prior_generator.grid_priors(maps, device='cpu')
    if steps is not None:
        # A scale's last centre lies inside the image.
        last = torch.stack([(level[-1, :2] + level[-1, 2:]) / 2 for level in priors])
        assert (last < size).all()


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


@pytest.mark.parametrize('leaf', COCO_320, ids=lambda leaf: leaf.stem)
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


@each_leaf
def test_every_size_of_the_multi_scale_test_holds_the_pyramid(leaf: Path) -> None:
    config = load(leaf)
    if 'tta_pipeline' not in config:
        pytest.skip('this config has no multi-scale test')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    views, flips, *_ = config.tta_pipeline[1].transforms
    size = config.model.bbox_head.anchor_generator.input_size

    assert [flip.prob for flip in flips] == [0.0, 1.0]
    assert len(views) == 4
    for view, factor in zip(views, (0.75, 1, 1.25, 1.5), strict=True):
        side = view.scale[0]
        assert side % 32 == 0
        assert len(model.neck.strides((side, side))) == 6
        assert side == max(288, -(-size * factor // 32) * 32)
