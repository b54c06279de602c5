"""Backbones."""

from .refinedet_resnet import RefineDetResNet
from .refinedet_vgg import RefineDetVGG
from .timm_backbone import TimmBackbone

__all__ = ['RefineDetResNet', 'RefineDetVGG', 'TimmBackbone']
