"""Backbones."""

from .refinedet_resnet import RefineDetResNet
from .refinedet_vgg import RefineDetVGG

__all__ = ['RefineDetResNet', 'RefineDetVGG']
