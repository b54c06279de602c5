"""Detectors with random weights: nothing is downloaded."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import nn

# Names of an argument that is a file of weights.
_WEIGHTS = re.compile('(^|_)(pretrained|ckpt|checkpoint|load_from)(_path|_file)?$')
_INITIALIZERS = ('Pretrained', 'PretrainedInit')


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

    Those are MMEngine's initializer ``Pretrained``, alone, in a list or within another
    one; files of weights by name (``pretrained``, ``teacher_ckpt``,
    ``checkpoint_path``); and timm's ``pretrained=True``.

    Args:
        settings: A config, or a part of one; ``init_cfg`` of other kinds is kept.
    """
    if isinstance(settings, dict):
        return type(settings)(
            {key: _without_file(key, value) for key, value in settings.items()}
        )
    if isinstance(settings, list | tuple):
        kept = [without_pretrained(x) for x in settings if not _is_pretrained(x)]
        # Without any initializer a module takes its own.
        return type(settings)(kept) if kept or not settings else None
    return settings


def _without_file(key: str, value: Any) -> Any:
    """Return a setting of a module, or what stands for no weights in its place."""
    if key == 'pretrained' and value is True:
        return False
    if _is_pretrained(value) or (isinstance(value, str) and _WEIGHTS.search(str(key))):
        return None
    return without_pretrained(value)


def _is_pretrained(value: Any) -> bool:
    """Whether a setting is MMEngine's initializer by a file, by name or as a class."""
    if not isinstance(value, dict):
        return False
    kind = value.get('type')
    name = getattr(kind, '__name__', str(kind))
    return name.rpartition('.')[-1] in _INITIALIZERS


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
