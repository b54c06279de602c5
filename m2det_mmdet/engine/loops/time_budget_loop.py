"""Trains in epochs, and can stop within one."""

from mmdet.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop


@LOOPS.register_module()
class TimeBudgetTrainLoop(EpochBasedTrainLoop):
    """A loop over epochs that stops within one when ``stop_training`` is set."""

    def run_epoch(self) -> None:
        """Train for an epoch, or until the budget is used up."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(self.dataloader):
            self.run_iter(index, batch)
            if self.stop_training:
                break
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
