from pathlib import Path

import torch
from mmengine.config import Config

from m2det_mmdet.analysis.random_weights import build_random, without_pretrained

CONFIGS = Path(__file__).parents[2] / 'configs' / 'm2det'


def test_only_what_names_weights_is_dropped() -> None:
    settings = {
        'backbone': {'init_cfg': {'type': 'Pretrained', 'checkpoint': 'x'}},
        'necks': [{'pretrained': 'torchvision://resnet50', 'depth': 50}],
        'head': {'init_cfg': {'type': 'Normal', 'std': 0.01}, 'pretrained': None},
        'sizes': (1, 2),
    }

    assert without_pretrained(settings) == {
        'backbone': {'init_cfg': None},
        'necks': [{'pretrained': None, 'depth': 50}],
        'head': {'init_cfg': {'type': 'Normal', 'std': 0.01}, 'pretrained': None},
        'sizes': (1, 2),
    }
    assert settings['backbone'] == {
        'init_cfg': {'type': 'Pretrained', 'checkpoint': 'x'}
    }


def test_shipped_configs_download_nothing() -> None:
    for name in ('m2det_vgg_320', 'm2det_r50_320'):
        config = Config.fromfile(CONFIGS / f'{name}.py')

        assert without_pretrained(config.model).backbone.init_cfg is None
        assert config.model.backbone.init_cfg.type == 'Pretrained'


def test_a_seed_gives_the_weights() -> None:
    config = Config.fromfile(CONFIGS / 'm2det_r18_scenes.py')
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(build_random(config).bbox_head.cls_convs[0][0].weight)

    first, same, other = weights
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
