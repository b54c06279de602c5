"""The release configs, and weights and maps by the rules of the reference values."""

import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from m2det_mmdet.models.dense_heads import M2DetHead

ROOT = Path(__file__).parents[2]
SIDES = (40, 20, 10, 5, 3, 1)


@pytest.fixture(scope='session')
def reference() -> Callable[[str], dict[str, np.ndarray]]:
    """Load a file of reference values."""
    folder = ROOT / 'tests/data/release'
    return lambda name: dict(np.load(folder / f'{name}.npz'))


@pytest.fixture
def release_config() -> Callable[[str], Config]:
    """Load a release config by backbone and size: ``vgg_320``."""
    folder = ROOT / 'configs/m2det/release'

    def load(name: str) -> Config:
        config = Config.fromfile(folder / f'm2det_{name}_release.py')
        config.model.backbone.init_cfg = None
        return config

    return load


@pytest.fixture
def release_head(release_config: Callable[[str], Config]) -> M2DetHead:
    """The head of the 320 pixel release config, on maps of 8 channels."""
    model = release_config('vgg_320').model
    return MODELS.build(
        {
            **model.bbox_head,
            'in_channels': [8] * 6,
            'train_cfg': model.train_cfg,
            'test_cfg': model.test_cfg,
        }
    )


@pytest.fixture(scope='session')
def to_maps(split_rows: Callable[..., list[Tensor]]) -> Callable[..., list[Tensor]]:
    """Split rows of anchors ``(N, 12810, C)`` into the heads' maps at 320 pixels."""
    return partial(split_rows, sides=SIDES, num_anchors=6)


@pytest.fixture(scope='session')
def weights() -> Callable[[dict[str, tuple[int, ...]]], dict[str, Tensor]]:
    """Give the reference networks' weights for the release's names and shapes."""
    return lambda shapes: {
        name: torch.from_numpy(_weight(_first_alias(name), shape, shapes))
        for name, shape in shapes.items()
    }


def _first_alias(name: str) -> str:
    """Name under which a shared tensor is drawn."""
    return re.sub(r'^(leach|sfam_module\.fc\d)\.\d+', r'\1.0', name)


def _weight(
    name: str, shape: tuple[int, ...], names: dict[str, tuple[int, ...]]
) -> np.ndarray:
    layer, _, kind = name.rpartition('.')
    if kind == 'num_batches_tracked':
        return np.zeros(shape, np.int64)
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if kind == 'running_mean':
        value = 0.1 * noise
    elif kind == 'running_var':
        value = 1 + 0.1 * np.abs(noise)
    elif kind == 'bias':
        value = (0.1 if f'{layer}.running_mean' in names else 0.01) * noise
    elif len(shape) == 1:
        value = 1 + 0.1 * noise
    else:
        value = _gain(name, shape) * np.sqrt(2 / np.prod(shape[1:])) * noise
    return value.astype(np.float32)


def _gain(name: str, shape: tuple[int, ...]) -> float:
    """Keep activations in bounds: input in pixels, sums of maps and of residuals."""
    gain = 1 / 64 if shape[1] == 3 else 1.0
    if '.latlayer.' in name or '.toplayer.' in name:
        gain /= 4
    return gain / 4 if name.endswith('.conv3.weight') else gain
