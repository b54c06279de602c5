"""Finds the largest batch that the memory of a GPU holds."""

from collections.abc import Callable
from copy import deepcopy

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from torch import nn

from ..utils.pipelines import kind_of

# An epoch has at least so many batches: fewer steps teach little.
_LEAST_STEPS = 8
# A side in pixels that no image has.
_ENDLESS = 10**6


def largest_batch(cfg: Config) -> int:
    """Return the largest batch of training images that fits, doubled from the config's.

    On a CPU a larger batch takes as much longer, so that the config's own is returned.

    Args:
        cfg: A config with its data, image size and classes.
    """
    own = cfg.train_dataloader.get('batch_size') or 1
    if get_device() != 'cuda':
        return own
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model = MODELS.build(_at_largest(cfg.model)).to(get_device()).train()

    def fits(size: int) -> bool:
        samples = [dataset[index % len(dataset)] for index in range(size)]
        return _fits(model, samples)

    return doubled(own, len(dataset) // _LEAST_STEPS, fits)


def doubled(size: int, limit: int, fits: Callable[[int], bool]) -> int:
    """Double ``size`` as long as it is within ``limit`` and fits; halve it if not."""
    while size > 1 and not fits(size):
        size //= 2
        limit = size
    while 2 * size <= limit and fits(2 * size):
        size *= 2
    return size


def _at_largest(model: ConfigDict) -> ConfigDict:
    """Return the settings of a detector whose batches have their largest size."""
    model = deepcopy(model)
    for step in (model.get('data_preprocessor') or {}).get('batch_augments') or []:
        if kind_of(step) == 'BatchSyncRandomResize':
            # By the shorter side, however long the other one is.
            scale = (max(step.pop('random_size_range')), _ENDLESS)
            step.clear()
            step.update(type='BatchResize', scale=scale)
    return model


def _fits(model: nn.Module, samples: list[dict]) -> bool:
    """Whether the memory holds a step of training on ``samples``."""
    try:
        data = model.data_preprocessor(pseudo_collate(samples), training=True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
    except torch.OutOfMemoryError:
        return False
    finally:
        model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
    return True
