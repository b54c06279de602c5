"""Hooks, loops and schedulers, which a runner calls."""

from .hooks import (
    AccelerationHook,
    ChannelsLastHook,
    ClassCheckHook,
    FiniteLossHook,
    PyramidCheckHook,
    TimeBudgetHook,
    TrainingCostHook,
    WeightsCheckHook,
)
from .loops import TimeBudgetTrainLoop
from .schedulers import WarmupStepLR

__all__ = [
    'AccelerationHook',
    'ChannelsLastHook',
    'ClassCheckHook',
    'FiniteLossHook',
    'PyramidCheckHook',
    'TimeBudgetHook',
    'TimeBudgetTrainLoop',
    'TrainingCostHook',
    'WarmupStepLR',
    'WeightsCheckHook',
]
