"""RefineDet's configs, and weights and maps by the rules of the reference values."""

import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

ROOT = Path(__file__).parents[2]
SIDES = (40, 20, 10, 5)
GAINS = {
    r'vgg\.0\.weight': 1 / 64,
    r'conv4_3_L2Norm\.weight': 10,
    r'conv5_3_L2Norm\.weight': 8,
    r'arm_(loc|conf)\.[01]\.weight': 2,
    r'arm_(loc|conf)\.[23]\.weight': 0.4,
    r'tcb0\.[03]\.weight': 4,
    r'tcb0\.[69]\.weight': 0.5,
    r'odm_(loc|conf)\.\d\.weight': 0.7,
}


@pytest.fixture(scope='session')
def reference() -> Callable[[str], dict[str, np.ndarray]]:
    """Load a file of reference values."""
    folder = ROOT / 'tests/data/refinedet'
    return lambda name: dict(np.load(folder / f'{name}.npz'))


@pytest.fixture
def config() -> Config:
    """The config for VOC at 320 pixels, without pre-trained weights."""
    config = Config.fromfile(ROOT / 'configs/refinedet/refinedet_vgg_320_voc0712.py')
    config.model.backbone.init_cfg = None
    return config


@pytest.fixture
def build(config: Config) -> Callable[..., BaseDetector]:
    """Build the detector on the meta device, its heads with other settings."""

    def build_with(**train_cfg: object) -> BaseDetector:
        config.model.train_cfg.update(train_cfg)
        with torch.device('meta'):
            return MODELS.build(config.model)

    return build_with


@pytest.fixture(scope='session')
def to_maps(split_rows: Callable[..., list[Tensor]]) -> Callable[..., list[Tensor]]:
    """Split rows of anchors ``(N, 6375, C)`` into the heads' maps at 320 pixels."""
    return partial(split_rows, sides=SIDES, num_anchors=3)


@pytest.fixture(scope='session')
def weight() -> Callable[[str, tuple[int, ...]], np.ndarray]:
    """Draw a reference network's tensor by its name in the port and its shape."""

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
        found = [gain for rule, gain in GAINS.items() if re.fullmatch(rule, name)]
        gain = found[0] if found else 1
        if name.endswith('.bias'):
            value = 0.01 * noise
        elif len(shape) == 1:
            value = gain * (1 + 0.1 * noise)
        else:
            value = gain * np.sqrt(2 / np.prod(shape[1:])) * noise
        return value.astype(np.float32)

    return draw
