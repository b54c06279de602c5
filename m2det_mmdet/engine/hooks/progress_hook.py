"""Tells a program how far a run is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ..loops import TimeBudgetTrainLoop


@dataclass(frozen=True)
class Step:
    """A batch is done.

    Attributes:
        stage: ``'train'``, ``'val'`` or ``'test'``.
        epoch: Number of the epoch, from 1; ``None`` in a test.
        epochs: How many there are; ``None`` where only time ends the training.
        batch: Number of the batch in its epoch, from 1.
        batches: How many there are.
        loss: Mean of the last batches' total losses; ``None`` outside of training.
        learning_rate: That of the first group of parameters; ``None`` likewise.
        seconds_left: An estimate for the rest of the training; ``None`` likewise.
    """

    stage: str
    epoch: int | None
    epochs: int | None
    batch: int
    batches: int
    loss: float | None = None
    learning_rate: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Evaluated:
    """A validation or a test is done.

    Attributes:
        stage: ``'val'`` or ``'test'``.
        epoch: Epochs trained before it; ``None`` in a test, and in a training that
            counts iterations.
        metrics: What the metrics gave, by name.
    """

    stage: str
    epoch: int | None
    metrics: dict[str, float]


class ProgressHook(Hook):
    """Calls a function after each batch and each evaluation, on rank 0.

    Args:
        report: Gets a :class:`Step` or an :class:`Evaluated`.
        window: Batches over which losses are averaged.
    """

    priority = 'VERY_LOW'

    def __init__(self, report: Callable[[Any], None], *, window: int = 50) -> None:
        self.report = report
        self.window = window

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Report a training step."""
        if runner.rank != 0:
            return
        hub, loop = runner.message_hub, runner.train_loop
        losses = hub.log_scalars.get('train/loss')
        rates = hub.log_scalars.get('train/lr')
        # A loop by iterations knows one epoch, and one by time far too many.
        by_iteration = isinstance(loop, IterBasedTrainLoop)
        by_time = isinstance(loop, TimeBudgetTrainLoop)
        self.report(
            Step(
                stage='train',
                epoch=1 if by_iteration else loop.epoch + 1,
                epochs=None if by_time else loop.max_epochs,
                batch=(loop.iter if by_iteration else batch_idx) + 1,
                batches=loop.max_iters if by_iteration else len(loop.dataloader),
                loss=None if losses is None else float(losses.mean(self.window)),
                learning_rate=None if rates is None else float(rates.current()),
                seconds_left=None if by_time else hub.get_info('eta', None),
            )
        )

    def after_val_iter(
        self, runner: Runner, batch_idx: int, *_: Any, **__: Any
    ) -> None:
        """Report a validation step."""
        if runner.rank == 0:
            batches = len(runner.val_dataloader)
            self.report(Step('val', runner.epoch, None, batch_idx + 1, batches))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, *_: Any, **__: Any
    ) -> None:
        """Report a test step."""
        if runner.rank == 0:
            batches = len(runner.test_dataloader)
            self.report(Step('test', None, None, batch_idx + 1, batches))

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Report the figures of a validation."""
        if runner.rank == 0:
            by_iteration = isinstance(runner.train_loop, IterBasedTrainLoop)
            epoch = None if by_iteration else runner.epoch
            self.report(Evaluated('val', epoch, dict(metrics or {})))

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Report the figures of a test."""
        if runner.rank == 0:
            self.report(Evaluated('test', None, dict(metrics or {})))
