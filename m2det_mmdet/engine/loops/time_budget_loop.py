"""Trains in epochs, and can stop within one."""

from mmdet.registry import LOOPS

from .train_loops import ExactEpochBasedTrainLoop


@LOOPS.register_module()
class TimeBudgetTrainLoop(ExactEpochBasedTrainLoop):
    """A loop over epochs that stops within one when ``stop_training`` is set."""

    def _is_over(self) -> bool:
        return self.stop_training
