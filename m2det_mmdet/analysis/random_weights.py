"""Detectors with random weights: nothing is downloaded."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn


def build_random(config: Config) -> nn.Module:
    """Build the model of ``config`` with the weights that a training without any has.

    Raises:
        Exception: What the modules raise of their arguments.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    model = MODELS.build(without_pretrained(config.model))
    with _without_log():
        model.init_weights()
    return model


def without_pretrained(settings: Any) -> Any:
    """Copy the settings of a model without what names weights to start from.

    Args:
        settings: A config, or a part of one; ``init_cfg`` of other kinds is kept.
    """
    if isinstance(settings, dict):
        return type(settings)(
            {
                key: None if _is_pretrained(key, value) else without_pretrained(value)
                for key, value in settings.items()
            }
        )
    if isinstance(settings, list | tuple):
        return type(settings)(without_pretrained(value) for value in settings)
    return settings


def _is_pretrained(key: str, value: Any) -> bool:
    """Whether a setting names a file of weights, in the new way or the old."""
    if key == 'init_cfg' and isinstance(value, dict):
        return value.get('type') == 'Pretrained'
    return key == 'pretrained' and isinstance(value, str)


@contextmanager
def _without_log() -> Iterator[None]:
    """Leave out the lines that MMEngine logs of every parameter."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
