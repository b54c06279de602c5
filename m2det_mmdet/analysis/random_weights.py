"""Detectors with random weights: nothing is downloaded."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn

from ..checkpoints.pretrained import without_pretrained


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
