"""Detectors without the values of their weights."""

from copy import deepcopy

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn


def build_structure(config: Config) -> nn.Module:
    """Build the model of ``config`` on the meta device: nothing is loaded or computed.

    Raises:
        Exception: What the modules raise of their arguments.
    """
    init_default_scope(config.get('default_scope', 'mmdet'))
    # Some modules of mmdet change the settings that they are built of.
    settings = deepcopy(config.model)
    with torch.device('meta'):
        model = MODELS.build(settings)
    # Some layers, as the L2 norm of mmdet's SSDNeck, make their weights elsewhere.
    return model.to('meta')
