"""Parts of detectors, under the names of MMDetection's own folders."""

from . import (
    backbones,
    data_preprocessors,
    dense_heads,
    detectors,
    layers,
    losses,
    necks,
    roi_heads,
    task_modules,
    test_time_augs,
    utils,
)
from .acceleration import accelerate

__all__ = [
    'accelerate',
    'backbones',
    'data_preprocessors',
    'dense_heads',
    'detectors',
    'layers',
    'losses',
    'necks',
    'roi_heads',
    'task_modules',
    'test_time_augs',
    'utils',
]
