"""Hooks, metrics and schedulers."""

from .acceleration import accelerate
from .acceleration_hook import AccelerationHook
from .channels_last_hook import ChannelsLastHook
from .class_check_hook import ClassCheckHook
from .graded_coco_metric import GradedCocoMetric
from .inclusive_coco_metric import InclusiveCocoMetric
from .pyramid_check_hook import PyramidCheckHook
from .warmup_step_lr import WarmupStepLR
from .weights_check_hook import WeightsCheckHook

__all__ = [
    'AccelerationHook',
    'ChannelsLastHook',
    'ClassCheckHook',
    'GradedCocoMetric',
    'InclusiveCocoMetric',
    'PyramidCheckHook',
    'WarmupStepLR',
    'WeightsCheckHook',
    'accelerate',
]
