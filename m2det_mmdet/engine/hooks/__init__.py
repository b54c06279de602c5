"""Hooks."""

from .acceleration_hook import AccelerationHook
from .channels_last_hook import ChannelsLastHook
from .checkpoint_hook import OwnCheckpointHook
from .class_check_hook import ClassCheckHook
from .early_stopping_hook import ResumableEarlyStoppingHook
from .finite_loss_hook import FiniteLossHook
from .freeze_hook import FreezeHook
from .mirror_visualization_hook import MirrorVisualizationHook
from .plain_names_hook import PlainNamesHook
from .progress_hook import Evaluated, ProgressHook, Step
from .pyramid_check_hook import PyramidCheckHook
from .results_table_hook import ResultsTableHook
from .safetensors_hook import SafetensorsHook
from .time_budget_hook import TimeBudgetHook
from .training_cost_hook import TrainingCostHook
from .weights_check_hook import WeightsCheckHook

__all__ = [
    'AccelerationHook',
    'ChannelsLastHook',
    'ClassCheckHook',
    'Evaluated',
    'FiniteLossHook',
    'FreezeHook',
    'MirrorVisualizationHook',
    'OwnCheckpointHook',
    'PlainNamesHook',
    'ProgressHook',
    'PyramidCheckHook',
    'ResultsTableHook',
    'ResumableEarlyStoppingHook',
    'SafetensorsHook',
    'Step',
    'TimeBudgetHook',
    'TrainingCostHook',
    'WeightsCheckHook',
]
