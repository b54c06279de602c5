"""Loops."""

from .time_budget_loop import TimeBudgetTrainLoop
from .train_loops import ExactEpochBasedTrainLoop, ExactIterBasedTrainLoop

__all__ = [
    'ExactEpochBasedTrainLoop',
    'ExactIterBasedTrainLoop',
    'TimeBudgetTrainLoop',
]
