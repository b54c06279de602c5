"""Counts the seconds, epochs and memory of a training."""

import time

import torch
from mmdet.registry import HOOKS
from mmengine.device import get_device
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...checkpoints.errors import UnresumableError
from ...utils.devices import peak_memory
from ...utils.texts import shown
from ...utils.values import is_count, is_number

SECONDS = 'training_seconds'
MEMORY = 'training_peak_memory'
EPOCHS = 'training_epochs'
_PLACE = 'message_hub.runtime_info.'


@HOOKS.register_module()
class TrainingCostHook(Hook):
    """Stores the seconds, epochs and peak memory of a training in its checkpoints.

    They are in the message hub, as ``training_seconds``, ``training_epochs`` (passes
    over the images, also parts of one) and ``training_peak_memory`` (bytes, as counted
    by :func:`m2det_mmdet.utils.devices.peak_memory`). A resumed training continues the
    count. Time outside epochs, for validation and saving, is not counted.

    Of several processes the first one's clock counts for all, and its memory is stored.
    """

    clock = staticmethod(time.perf_counter)

    def before_train(self, runner: Runner) -> None:
        """Start with the counts of an interrupted training.

        Raises:
            UnresumableError: If they are no numbers.
        """
        hub = runner.message_hub
        self._start: float | None = None
        self._before = hub.get_info(SECONDS, 0.0)
        self._memory = hub.get_info(MEMORY, None)
        # Also of a checkpoint that is written within the first epoch.
        hub.update_info(SECONDS, self._before)
        hub.update_info(EPOCHS, hub.get_info(EPOCHS, 0.0))
        # They come from a file.
        if not (is_number(self._before) and self._before >= 0):
            raise UnresumableError(_PLACE + SECONDS, shown(self._before))
        if not (self._memory is None or is_count(self._memory)):
            raise UnresumableError(_PLACE + MEMORY, shown(self._memory))

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self._start = self.clock()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Tell a checkpoint within an epoch, too, what it has cost so far."""
        if self._start is not None:
            info = checkpoint['message_hub']['runtime_info']
            info[SECONDS] = self._before + self.clock() - self._start
            info[EPOCHS] = self._epochs(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop the clock, before the checkpoint is written."""
        self._before = self.seconds()
        self._start = None
        runner.message_hub.update_info(SECONDS, self._before)
        runner.message_hub.update_info(EPOCHS, self._epochs(runner))
        memory = peak_memory(torch.device(get_device()))
        if memory is not None:
            self._memory = max(memory, self._memory or 0)
            runner.message_hub.update_info(MEMORY, self._memory)

    def _epochs(self, runner: Runner) -> float:
        return runner.iter / len(runner.train_dataloader)

    def seconds(self) -> float:
        """Seconds of training so far, the same in all processes.

        Call it only within an epoch, and in all processes.
        """
        passed = self._before + self.clock() - self._start
        seconds = torch.tensor(passed, dtype=torch.float64)
        broadcast(seconds)
        return seconds.item()
