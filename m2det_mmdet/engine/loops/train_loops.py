"""MMEngine's loops, which go on exactly where a training was interrupted."""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank, get_world_size, is_distributed
from mmengine.logging import print_log
from mmengine.registry import LOOPS
from mmengine.runner import (
    BaseLoop,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
)

from ...checkpoints.errors import UnresumableError
from ...utils.processes import wait_for_all
from ...utils.texts import shown
from ...utils.values import is_count
from ..interruption import TrainingInterrupted, requested
from ..randomness import ITERATION, seed_all, seed_at
from .batches import ResumableBatchSampler, resumable

# In the message hub, hence in each checkpoint.
BATCHES_DONE = 'epoch_batches_done'
VALIDATED = 'iteration_of_validation'
DATA_SEED = 'data_seed'
TOTAL_BATCH = 'total_batch_size'


class _ExactLoop(BaseLoop):
    """What both loops share: a place in the data, and seeds of their own.

    The message hub keeps, for checkpoints, the batches of the epoch that are done, the
    seed of the order, the images an iteration, and the iteration after which the last
    validation began.

    After each iteration hooks are called that have a method ``between_iters``.
    """

    runner: Runner

    def _make_exact(self) -> None:
        self._seed = _common_seed(self.runner)
        self.dataloader = resumable(self.dataloader, self._seed)

    def _start(self) -> int:
        """Take over what a checkpoint tells; return the batches that are done.

        Raises:
            UnresumableError: If it tells what no training has written.
        """
        hub, resumed = self.runner.message_hub, self._iter > 0
        known = {
            key: _count_of(hub.get_info(key, None), key) if resumed else None
            for key in (BATCHES_DONE, DATA_SEED, TOTAL_BATCH)
        }
        batches = self.dataloader.batch_sampler
        if isinstance(batches, ResumableBatchSampler):
            # The runner takes its seed from the checkpoint after the loader was built.
            self._seed = batches.seed = _common_seed(self.runner)
            if hasattr(batches.sampler, 'seed'):
                if known[DATA_SEED] is not None:
                    batches.sampler.seed = known[DATA_SEED]
                hub.update_info(DATA_SEED, batches.sampler.seed)
            if isinstance(batches.sampler, InfiniteSampler):
                # Loops of MMEngine before 0.10.8 let workers take of it when they are
                # built; its stream begins anew, by the seed that it has now.
                batches.sampler.indices = batches.sampler._indices_of_rank()
        if not resumed:
            hub.update_info(VALIDATED, 0)
        own = self._total_batch()
        hub.update_info(TOTAL_BATCH, own)
        return self._of_own_size(self._batches_done(known), known[TOTAL_BATCH], own)

    def _batches_done(self, known: dict[str, int | None]) -> int:
        """Return the batches that are done of what the loop counts as a pass."""
        return known[BATCHES_DONE] or 0

    def _of_own_size(self, batches: int, before: int | None, own: int | None) -> int:
        """Convert a number of batches where a resumed training has others."""
        if own in (None, before) or not before:
            return batches
        print_log(
            f'The training went on {before} images an iteration before, and goes on '
            f'with {own}: it begins at about the same image, but is not the training '
            'that was interrupted.',
            logger='current',
            level=logging.WARNING,
        )
        return batches * before // own

    def _total_batch(self) -> int | None:
        """Images of an iteration, in all processes, where their number is fixed."""
        batches = self.dataloader.batch_sampler
        size = getattr(getattr(batches, 'batches', None), 'batch_size', None)
        return size * get_world_size() if is_count(size) else None

    def _seed_iteration(self) -> None:
        """Give the network's own random numbers, as of dropout, their seed."""
        seed_all(seed_at(self._seed, ITERATION, self._iter, get_rank()))

    def _read(self, batches: Iterator[Any]) -> Any:
        """Return the next batch; ``None`` at the end.

        Workers may have got the signal that asks this process to stop. What was
        trained is then kept.
        """
        try:
            return next(batches, None)
        except RuntimeError:
            # Other processes may be one batch further.
            if requested() and not is_distributed():
                self._between()
            raise

    def _between(self) -> None:
        """Let hooks keep the state, and stop where nobody does."""
        # A signal that comes after the hooks have looked is for the next time.
        number = requested()
        self.runner.call_hook('between_iters')
        if number:
            raise TrainingInterrupted(None, self._iter, number)

    def _validate(self) -> None:
        self.runner.message_hub.update_info(VALIDATED, self._iter)
        self.runner.val_loop.run()
        # Figures are computed in the first process alone.
        wait_for_all()
        self._between()

    def _tell_last(self, epoch: int) -> None:
        """Let the message hub have the numbers that it had before this validation.

        MMEngine notes them when an epoch and an iteration begin.
        """
        hub = self.runner.message_hub
        hub.update_info('epoch', epoch)
        hub.update_info('iter', self._iter - 1)

    def _lacks_validation(self) -> bool:
        """Whether a training was interrupted in the validation that is due now.

        A checkpoint of another package tells nothing about it.
        """
        validated = self.runner.message_hub.get_info(VALIDATED, None)
        return validated is not None and validated != self._iter


@LOOPS.register_module(name='EpochBasedTrainLoop', force=True)
class ExactEpochBasedTrainLoop(EpochBasedTrainLoop, _ExactLoop):
    """MMEngine's loop over epochs, resumed in the middle of one, too.

    Images, their order and all random numbers are those of a training that was not
    interrupted; see :mod:`m2det_mmdet.engine.randomness`.
    """

    def __init__(
        self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(runner, dataloader, *args, **kwargs)
        self._make_exact()
        self._done = 0

    def run(self) -> Any:
        """Train."""
        self.runner.call_hook('before_train')
        self._done = self._start()
        self.runner.message_hub.update_info(BATCHES_DONE, self._done)
        if self._done == 0 and self._lacks_validation():
            self._tell_last(epoch=self._epoch - 1)
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train for an epoch, or for what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        batches = self._batches()
        # Workers start, on disks of different speed.
        wait_for_all()
        while (batch := self._read(batches)) is not None:
            self.run_iter(self._done, batch)
            self._between()
            if self._is_over():
                break
        self._done = 0
        self.runner.message_hub.update_info(BATCHES_DONE, 0)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on a batch."""
        self._seed_iteration()
        self._done = idx + 1
        # Before the hooks, which may write a checkpoint at its end.
        self.runner.message_hub.update_info(BATCHES_DONE, self._done)
        super().run_iter(idx, data_batch)

    def _batches(self) -> Iterator[Any]:
        """Read the batches of the epoch that are not done."""
        sampler = self.dataloader.batch_sampler
        if isinstance(sampler, ResumableBatchSampler):
            sampler.begin(self._epoch, self._done)
            return iter(self.dataloader)
        return islice(self.dataloader, self._done, None)

    def _is_over(self) -> bool:
        """Whether the epoch ends before its last batch."""
        return False

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (
                self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
            )
        ):
            self._validate()


@LOOPS.register_module(name='IterBasedTrainLoop', force=True)
class ExactIterBasedTrainLoop(IterBasedTrainLoop, _ExactLoop):
    """MMEngine's loop over iterations, with the same promise."""

    def __init__(
        self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(runner, dataloader, *args, **kwargs)
        self._make_exact()
        # Batches of the data that are done, less iterations: those before may have
        # had another size.
        self._shift = 0

    def run(self) -> Any:
        """Train."""
        self.runner.call_hook('before_train')
        # For hooks the whole training is one epoch.
        self.runner.call_hook('before_train_epoch')
        done = self._start()
        self._shift = done - self._iter
        self.dataloader_iterator = self._endless(done)
        if self._lacks_validation():
            self._tell_last(epoch=0)
            self._validate_if_due()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(self._read(self.dataloader_iterator))
            self._between()
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Any) -> None:
        """Train on a batch."""
        self._seed_iteration()
        # Before the hooks, which may write a checkpoint at its end.
        done = self._iter + 1 + self._shift
        self.runner.message_hub.update_info(BATCHES_DONE, done)
        super().run_iter(data_batch)

    def _batches_done(self, known: dict[str, int | None]) -> int:
        # Checkpoints of MMEngine tell nothing of it.
        done = known[BATCHES_DONE]
        return self._iter if done is None else done

    def _endless(self, done: int) -> Iterator[Any]:
        """Read batches, epoch after epoch, without the first ones."""
        sampler = self.dataloader.batch_sampler
        if not isinstance(sampler, ResumableBatchSampler):
            while True:
                yield from islice(self.dataloader, done, None)
                done = 0
        epoch = 0
        while (left_out := sampler.begin(epoch, done)) < done:
            done -= left_out
            epoch += 1
        while True:
            yield from self.dataloader
            epoch += 1
            sampler.begin(epoch)

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        ):
            self._validate()


def _common_seed(runner: Runner) -> int:
    """Return the seed of a training, the same on all ranks."""
    differs = runner._randomness_cfg.get('diff_rank_seed', False)
    return runner.seed - get_rank() if differs else runner.seed


def _count_of(value: Any, key: str) -> int | None:
    """Return what the message hub has by a key.

    Raises:
        UnresumableError: If it is there, and no count.
    """
    if not (value is None or is_count(value)):
        raise UnresumableError(f'message_hub.runtime_info.{key}', shown(value))
    return value
