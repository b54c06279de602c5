"""Detectors without the values of their weights."""

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from ..utils.configs import describe
from ..utils.errors import M2DetError, explain
from .random_weights import without_pretrained


def build_structure(config: Config) -> nn.Module:
    """Build the model of ``config`` on the meta device: nothing is loaded or computed.

    One that reads values while it is built, as a Swin Transformer its drop rates, is
    built on the CPU first.

    Raises:
        Exception: What the modules raise of their arguments.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    try:
        with torch.device('meta'):
            model = MODELS.build(without_pretrained(config.model))
    except (NotImplementedError, RuntimeError):
        # The settings anew: some modules of mmdet change those they are built of.
        model = MODELS.build(without_pretrained(config.model))
    # Some layers, as the L2 norm of mmdet's SSDNeck, make their weights elsewhere.
    return model.to('meta')


def structure_of(cfg: Config) -> nn.Module:
    """Build the config's model without the values of its weights.

    Raises:
        M2DetError: If there is no model, or it does not build.
    """
    if 'model' not in cfg:
        raise M2DetError(
            f'{describe(cfg)} has no model: give the config of a detector.'
        )
    try:
        return build_structure(cfg)
    except Exception as error:
        raise M2DetError(
            f'The model of {describe(cfg)} does not build: {explain(error)}'
        ) from error
