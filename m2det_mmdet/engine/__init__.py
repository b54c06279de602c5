"""Hooks, metrics and schedulers."""

from .acceleration import accelerate
from .acceleration_hook import AccelerationHook
from .channels_last_hook import ChannelsLastHook
from .class_check_hook import ClassCheckHook
from .finite_loss_hook import FiniteLossHook
from .graded_coco_metric import GradedCocoMetric
from .inclusive_coco_metric import InclusiveCocoMetric
from .pyramid_check_hook import PyramidCheckHook
from .time_budget_hook import TimeBudgetHook, TimeBudgetTrainLoop
from .training_cost_hook import TrainingCostHook
from .warmup_step_lr import WarmupStepLR
from .weights_check_hook import WeightsCheckHook

__all__ = [
    'AccelerationHook',
    'ChannelsLastHook',
    'ClassCheckHook',
    'FiniteLossHook',
    'GradedCocoMetric',
    'InclusiveCocoMetric',
    'PyramidCheckHook',
    'TimeBudgetHook',
    'TimeBudgetTrainLoop',
    'TrainingCostHook',
    'WarmupStepLR',
    'WeightsCheckHook',
    'accelerate',
]
