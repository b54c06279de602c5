"""Trains for a number of minutes."""

import math
from typing import Any

from mmdet.registry import HOOKS
from mmengine.runner import Runner

from ..loops import TimeBudgetTrainLoop
from .training_cost_hook import SECONDS, TrainingCostHook

WARM_UP = 0.05


@HOOKS.register_module()
class TimeBudgetHook(TrainingCostHook):
    """Sets the learning rate by the time that has passed, and stops at its end.

    In the first 5 % of the time the learning rate rises linearly from 0, then it
    falls to 0 along half a cosine. :class:`TrainingCostHook` counts the time; a resumed
    training continues the count. Several processes have the same rates and stop after
    the same iteration, by the clock of the first.

    Args:
        minutes: Time to train.

    Raises:
        ValueError: If ``minutes`` is not positive; before the training, if the loop is
            not a :class:`TimeBudgetTrainLoop` or there is a ``param_scheduler``.
    """

    def __init__(self, minutes: float) -> None:
        if not minutes > 0:
            raise ValueError(f'minutes must be positive, got {minutes}.')
        self.budget = 60 * minutes

    def before_train(self, runner: Runner) -> None:
        """Store the learning rates; end the training if its time is over."""
        if not isinstance(runner.train_loop, TimeBudgetTrainLoop):
            loop = type(runner.train_loop).__name__.removeprefix('Exact')
            raise ValueError(
                f'TimeBudgetHook cannot stop a {loop} within an epoch: set '
                'train_cfg.type=TimeBudgetTrainLoop.'
            )
        if runner.param_schedulers:
            raise ValueError(
                'TimeBudgetHook sets the learning rate itself: set '
                'param_scheduler=None.'
            )
        super().before_train(runner)
        for group in runner.optim_wrapper.param_groups:
            # A resumed optimizer has the current rate and, separately, the first one.
            group.setdefault('initial_lr', group['lr'])
        if runner.message_hub.get_info(SECONDS, 0.0) >= self.budget:
            runner.train_loop.stop_training = True

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Set the learning rate."""
        factor = annealing(self.seconds() / self.budget)
        for group in runner.optim_wrapper.param_groups:
            group['lr'] = group['initial_lr'] * factor

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Stop when the time is over."""
        if self.seconds() >= self.budget:
            runner.train_loop.stop_training = True


def annealing(fraction: float) -> float:
    """Factor of the learning rate at a fraction of the time, both in 0..1."""
    if fraction < WARM_UP:
        return fraction / WARM_UP
    rest = (min(fraction, 1.0) - WARM_UP) / (1 - WARM_UP)
    return 0.5 * (1 + math.cos(math.pi * rest))
