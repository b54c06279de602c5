from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.model import PretrainedInit

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


PRETRAINED = {'type': 'Pretrained', 'checkpoint': 'x'}
NORMAL = {'type': 'Normal', 'std': 0.01}


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('init_cfg', [PRETRAINED, NORMAL], [NORMAL]),
        ('init_cfg', (PRETRAINED, NORMAL), (NORMAL,)),
        # With an empty list a module would leave its own initializers out.
        ('init_cfg', [PRETRAINED], None),
        ('init_cfg', NORMAL | {'override': PRETRAINED}, NORMAL | {'override': None}),
        ('init_cfg', PRETRAINED | {'type': 'mmengine.Pretrained'}, None),
        ('init_cfg', PRETRAINED | {'type': PretrainedInit}, None),
        # timm's models take a bool, others the name of a file.
        ('pretrained', True, False),
        ('pretrained', False, False),
        ('pretrained', 'x', None),
        ('checkpoint_path', 'x', None),
        ('teacher_ckpt', 'x', None),
        ('load_from', 'x', None),
    ],
)
def test_weights_are_found_at_any_depth_and_in_any_form(
    key: str, value: Any, expected: Any
) -> None:
    settings = {'detector': [{'backbone': {key: value}}]}
    before = deepcopy(settings)

    assert without_pretrained(settings) == {'detector': [{'backbone': {key: expected}}]}
    assert settings == before


def test_what_only_sounds_like_weights_stays() -> None:
    settings = {
        'use_checkpoint': True,
        'checkpoint_interval': '1',
        'sizes': [],
        'loss': {'weights': 'equal'},
        'pretrained_cfg': {'pretrained': None},
    }

    assert without_pretrained(settings) == settings


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
