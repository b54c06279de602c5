"""A warm-up, then steps to given fractions of the learning rate."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from mmdet.registry import PARAM_SCHEDULERS
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler


@PARAM_SCHEDULERS.register_module()
class WarmupStepLR(LRSchedulerMixin, _ParamScheduler):
    """Raise the learning rate linearly, then step down to given fractions of it.

    At step ``n`` of the warm-up the rate is ``start + (lr - start) * n / warmup``
    with ``start = start_factor * lr``; it reaches ``lr`` at step ``warmup``. This is
    the schedule of M2Det's release. MMEngine's schedulers cannot express it:
    ``LinearLR`` arrives one step early, ``MultiStepLR`` has one ratio for all steps.
    Every value depends only on the step, so that no error adds up and a resumed run
    continues exactly.

    Args:
        optimizer: The optimizer, or its wrapper.
        warmup: Length of the warm-up in epochs, or in iterations with
            ``by_epoch=False``. 0 for none.
        start_factor: Fraction of the learning rate at the first step.
        milestones: Steps at which the rate changes, ascending, in the unit of
            ``warmup``. Both count from ``begin``.
        factors: Fraction of the learning rate from each milestone on.
        **kwargs: ``begin``, ``end``, ``by_epoch``, ``last_step`` and ``verbose`` of
            MMEngine's schedulers. With ``convert_to_iter_based=True`` a config gives
            epochs, and the rate changes with every iteration of the warm-up.

    Raises:
        ValueError: If ``milestones`` and ``factors`` differ in length, milestones
            do not ascend or lie within the warm-up, the warm-up is negative, or a
            factor is not in 0..1.
    """

    def __init__(
        self,
        optimizer: Any,
        *args: Any,
        warmup: int = 0,
        start_factor: float = 1e-3,
        milestones: Sequence[int] = (),
        factors: Sequence[float] = (),
        **kwargs: Any,
    ) -> None:
        if len(milestones) != len(factors):
            raise ValueError(
                'WarmupStepLR needs one of factors for each of milestones, got '
                f'milestones={list(milestones)} and factors={list(factors)}.'
            )
        ascending = sorted(set(milestones)) == list(milestones)
        if not ascending or not 0 <= warmup <= min(milestones, default=warmup):
            raise ValueError(
                'milestones must ascend from the end of the warm-up, which is not '
                'negative, got '
                f'warmup={warmup} and milestones={list(milestones)}.'
            )
        if not all(0 <= factor <= 1 for factor in (start_factor, *factors)):
            raise ValueError(
                'start_factor and factors are fractions of the learning rate, '
                f'between 0 and 1, got {start_factor} and {list(factors)}.'
            )
        self.warmup = warmup
        self.start_factor = start_factor
        self.milestones = list(milestones)
        self.factors = list(factors)
        super().__init__(optimizer, *args, **kwargs)

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        epoch_length: int,
        warmup: int = 0,
        milestones: Sequence[int] = (),
        begin: int = 0,
        end: int = INF,
        by_epoch: bool = True,
        **kwargs: Any,
    ) -> 'WarmupStepLR':
        """Build the schedule by iteration from a config in epochs.

        Args:
            *args: The optimizer.
            epoch_length: Iterations of an epoch.
            warmup: Epochs.
            milestones: Epochs.
            begin: First epoch of the schedule.
            end: Epoch after the last one.
            by_epoch: Must be ``True``.
            **kwargs: Arguments without a unit of time.

        Raises:
            ValueError: If ``by_epoch`` is ``False``.
        """
        if not by_epoch:
            raise ValueError(
                'convert_to_iter_based=True needs by_epoch=True: the config of '
                'WarmupStepLR gives epochs.'
            )
        return cls(
            *args,
            warmup=warmup * epoch_length,
            milestones=[epoch * epoch_length for epoch in milestones],
            begin=begin * epoch_length,
            end=end if end == INF else end * epoch_length,
            by_epoch=False,
            **kwargs,
        )

    def _get_value(self) -> list[float]:
        return [self._rate(lr, self.last_step) for lr in self.base_values]

    def _rate(self, lr: float, step: int) -> float:
        if step < self.warmup:
            start = self.start_factor * lr
            return start + (lr - start) * step / self.warmup
        passed = bisect_right(self.milestones, step)
        return lr * self.factors[passed - 1] if passed else lr
