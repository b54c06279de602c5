"""Hooks and metrics."""

from .channels_last_hook import ChannelsLastHook
from .class_check_hook import ClassCheckHook
from .graded_coco_metric import GradedCocoMetric

__all__ = ['ChannelsLastHook', 'ClassCheckHook', 'GradedCocoMetric']
