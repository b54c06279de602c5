"""Loops."""

from .time_budget_loop import TimeBudgetTrainLoop

__all__ = ['TimeBudgetTrainLoop']
