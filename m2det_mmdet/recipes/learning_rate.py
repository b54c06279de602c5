"""Scales the learning rate of a config to its batch."""

from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size


def scaled_by(cfg: Config) -> float | None:
    """Return the ratio of a config's batch to that which its learning rate belongs to.

    Args:
        cfg: The config; ``auto_scale_lr.base_batch_size`` is the latter.

    Returns:
        The ratio, of all processes together; ``None`` if the config does not say it.
    """
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    return total_batch(cfg) / base if base else None


def scale_learning_rate(cfg: Config) -> None:
    """Multiply the learning rates of a config by :func:`scaled_by`.

    MMEngine would do so later, but counts no accumulated batches, and finds no batch
    size where a ``batch_sampler`` makes the batches.

    Args:
        cfg: A config that says to which batch its learning rate belongs; changed.
    """
    _scale(cfg.optim_wrapper, scaled_by(cfg))
    cfg.auto_scale_lr.update(base_batch_size=total_batch(cfg), enable=False)


def total_batch(cfg: Config) -> int:
    """Images of a step, of all processes and of all batches that it accumulates."""
    accumulated = cfg.optim_wrapper.get('accumulative_counts') or 1
    batch = cfg.train_dataloader.get('batch_size') or 1
    return batch * get_world_size() * accumulated


def _scale(settings: dict[str, Any], ratio: float) -> None:
    """Scale the rate of an optimizer, or of each where there are several."""
    if 'lr' in (settings.get('optimizer') or {}):
        settings['optimizer']['lr'] *= ratio
        return
    for value in settings.values():
        if isinstance(value, dict):
            _scale(value, ratio)
