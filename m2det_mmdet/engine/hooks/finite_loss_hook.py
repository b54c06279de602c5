"""Leaves out steps that are not finite, and stops a training that diverges."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.engine.hooks import CheckInvalidLossHook, MeanTeacherHook
from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor

from ...checkpoints.errors import UnresumableError
from ...utils.errors import M2DetError
from ...utils.texts import shown
from ..batch_weights import is_state
from ..soundness import IN_A_ROW, SKIPPED, is_finite, statistics_of, wrappers_of
from ..step_guard import StepGuard, replaced

_ADVICE = (
    'lower the learning rate (optim_wrapper.optimizer.lr), or clip the gradient '
    '(optim_wrapper.clip_grad=dict(max_norm=35))'
)
# MMEngine's name for the sum of all losses.
_WHOLE = 'loss'
# Entry of a checkpoint that was written between the batches of a step.
_OPEN = 'open_step'


class DivergenceError(M2DetError, FloatingPointError):
    """A training has diverged."""


class _Fault(NamedTuple):
    """What was not finite in the batch of one process.

    Attributes:
        losses: Parts of the loss with their values.
        others: Names of gradients, or of running statistics.
        images: The images of the batch.
    """

    losses: list[str]
    others: list[str]
    images: list[str]


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Leaves out steps whose loss or gradient is infinite or NaN; stops at many.

    Such a step changes nothing: weights, optimizer, means of weights (``EMAHook``,
    ``MeanTeacherHook``) and buffers stay, as a batch norm's running statistics, which
    the batch has spoilt already. Its losses are in no mean of the log. Images are
    logged, and the message hub, which is in every checkpoint, counts ``skipped_steps``
    and ``skipped_in_a_row``. Processes leave a step out together. What automatic mixed
    precision leaves out while it looks for its scale does not count.

    Args:
        max_in_a_row: Steps left out in a row that end the training. One bad image
            leaves out one step, and after weights have diverged no step is taken any
            more: ten tell the one from the other, and cost little of an epoch.

    Raises:
        ValueError: If that is no positive integer.
        DivergenceError: One sentence that names the iteration, what was not finite, the
            last good checkpoint and the fix. Also where a training would end with a
            step that was left out, since such a state is not saved.
    """

    # Before hooks that log the loss, average the weights or save them.
    priority = 'HIGHEST'

    def __init__(self, max_in_a_row: int = 10) -> None:
        if type(max_in_a_row) is not int or max_in_a_row < 1:
            raise ValueError(
                f'max_in_a_row must be a positive integer, got {max_in_a_row!r}.'
            )
        self.max_in_a_row = max_in_a_row
        self._undo = ExitStack()
        self._guards: list[StepGuard] = []
        self._last = 'the loss is not finite'
        self._good: str | None = None
        self._resumed: Mapping[str, Any] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over what is known of a step that a training was interrupted in.

        Raises:
            UnresumableError: If it is none of this model.
        """
        known = checkpoint.get(_OPEN) if runner._resume else None
        if known is None or _is_of(known, _buffers_of(runner)):
            self._resumed = known
            return
        raise UnresumableError(_OPEN, shown(known))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what a bad batch later in the same step would be undone with."""
        if 'optimizer' in checkpoint and any(guard.is_open for guard in self._guards):
            checkpoint[_OPEN] = {
                'is_bad': self._is_bad(),
                'weights': [guard.weights.state for guard in self._guards],
                'buffers': {
                    name: kept.cpu().clone()
                    for name, kept in zip(_buffers_of(runner), self._kept, strict=True)
                },
            }

    def before_train(self, runner: Runner) -> None:
        """Guard the optimizers, and the means of the weights."""
        self._undo.close()
        self._guards = []
        for wrapper in wrappers_of(runner).values():
            guard = StepGuard(wrapper, runner.model)
            self._undo.callback(guard.release)
            self._guards.append(guard)
        for hook in runner.hooks:
            if isinstance(hook, (EMAHook, MeanTeacherHook)):
                update = self._unless_bad(hook.after_train_iter)
                self._undo.enter_context(replaced(hook, 'after_train_iter', update))
        self._buffers = [*_buffers_of(runner).values()]
        self._kept = [buffer.clone() for buffer in self._buffers]
        if self._resumed is not None:
            _copy([*map(self._resumed['buffers'].get, _buffers_of(runner))], self._kept)
            for guard in self._guards:
                guard.is_open, guard.is_bad = True, self._resumed['is_bad']
            # Checkpoints of earlier versions know of no weights.
            states = self._resumed.get('weights', [])
            for guard, state in zip(self._guards, states, strict=False):
                guard.weights.state = state
            self._resumed = None

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Keep the buffers as they are before the first batch of a step."""
        if not any(guard.is_open for guard in self._guards):
            _copy(self._buffers, self._kept)
        for guard in self._guards:
            guard.begin()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Restore the buffers after a bad batch, count its step, and stop at many."""
        hub = runner.message_hub
        if not self._is_bad():
            # What was saved before is good: the loss of its weights is finite.
            self._good = hub.get_info('last_ckpt', None)
            if hub.get_info(IN_A_ROW, 0) and self._ends_step():
                hub.update_info(IN_A_ROW, 0)
            return
        fault = self._fault(runner, data_batch, outputs)
        _copy(self._kept, self._buffers)
        if outputs is not None:
            # The means of the log are those of the steps that were taken.
            outputs.clear()
        if self._ends_step():
            for key in (SKIPPED, IN_A_ROW):
                hub.update_info(key, hub.get_info(key, 0) + 1)
        self._tell(runner, all_gather_object(fault))
        if hub.get_info(IN_A_ROW, 0) >= self.max_in_a_row:
            self._stop(runner)

    def after_train(self, runner: Runner) -> None:
        """Stop where the last state is none to save."""
        self._undo.close()
        if runner.message_hub.get_info(IN_A_ROW, 0):
            self._stop(runner)

    def _is_bad(self) -> bool:
        return any(guard.is_bad for guard in self._guards)

    def _ends_step(self) -> bool:
        return any(guard.skipped is not None for guard in self._guards)

    def _unless_bad(self, update: Callable[..., None]) -> Callable[..., None]:
        def guarded(*args: Any, **kwargs: Any) -> None:
            if not self._is_bad():
                update(*args, **kwargs)

        return guarded

    def _fault(self, runner: Runner, data_batch: Any, outputs: dict | None) -> _Fault:
        losses = dict(outputs or {})
        for guard in self._guards:
            if guard.loss is not None and not is_finite(guard.loss):
                losses['loss'] = guard.loss
        others = [
            f'the gradient of {name}'
            for guard in self._guards
            for name in guard.gradients
        ] or [name for name, x in statistics_of(runner.model) if not is_finite(x)]
        return _Fault(
            _not_finite(losses), others, list(dict.fromkeys(_names_of(data_batch)))
        )

    def _tell(self, runner: Runner, faults: list[_Fault]) -> None:
        """Log what is wrong with a batch, unless an earlier one of its step is."""
        what = _describe(faults)
        if what is None:
            return
        self._last = f'{what} after {runner.iter + 1} iterations'
        skipped = runner.message_hub.get_info(SKIPPED, 0)
        count = f' ({skipped} of this training so far)' if self._ends_step() else ''
        runner.logger.warning(
            f'Iteration {runner.iter + 1}: {what}, and its step is left out{count}. '
            f'Its images: {_images(faults)}.'
        )

    def _stop(self, runner: Runner) -> None:
        count = runner.message_hub.get_info(IN_A_ROW)
        left_out = 'the last step' if count == 1 else f'the last {count} steps'
        raise DivergenceError(
            f'The training has diverged: {self._last}, and {left_out} could not be '
            f'taken; {_ADVICE}; {self._checkpoint(runner)}.'
        )

    def _checkpoint(self, runner: Runner) -> str:
        """Name the last checkpoint that is known to be good.

        That of the weights with which the training diverged may be written already.
        """
        resumed = runner._load_from if runner._resume else None
        for file in (
            self._good,
            runner.message_hub.get_info('best_ckpt', None),
            resumed,
        ):
            if file and Path(file).is_file():
                return f'the last good checkpoint is {file}'
        return 'no checkpoint from before is left'


def watch_losses(runner: Runner) -> None:
    """Let a :class:`FiniteLossHook` watch a training whose config has none.

    mmdet's ``CheckInvalidLossHook`` is taken out: it looks at one iteration of 50, and
    would end the training at a step that is left out.
    """
    others = [
        hook for hook in runner.hooks if not isinstance(hook, CheckInvalidLossHook)
    ]
    if len(others) < len(runner.hooks):
        runner.logger.info('FiniteLossHook takes the place of CheckInvalidLossHook.')
        runner.hooks[:] = others
    if not any(isinstance(hook, FiniteLossHook) for hook in others):
        runner.register_hook(FiniteLossHook())


def _buffers_of(runner: Runner) -> dict[str, Tensor]:
    """Return the buffers of a model by their names, as a checkpoint has these."""
    model = getattr(runner.model, 'module', runner.model)
    # Views cannot be written to, and no layer changes them.
    return {name: x for name, x in model.named_buffers() if x.is_contiguous()}


def _is_of(known: Any, buffers: Mapping[str, Tensor]) -> bool:
    """Whether a checkpoint knows of an open step of the model with these buffers."""
    if not isinstance(known, Mapping) or not isinstance(known.get('is_bad'), bool):
        return False
    if not isinstance(weights := known.get('weights', []), list):
        return False
    kept = known.get('buffers')
    return (
        all(map(is_state, weights))
        and isinstance(kept, Mapping)
        and kept.keys() == buffers.keys()
        and all(
            isinstance(kept[name], Tensor)
            and (kept[name].shape, kept[name].dtype) == (own.shape, own.dtype)
            for name, own in buffers.items()
        )
    )


def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    if source:
        with torch.no_grad():
            torch._foreach_copy_(target, source)


def _not_finite(losses: Mapping[str, Any]) -> list[str]:
    """Return the losses that are no numbers with their values.

    The whole is left out where the part that makes it so is known.
    """
    means = {
        name: torch.as_tensor(value).mean(dtype=torch.float32).item()
        for name, value in losses.items()
        if 'loss' in name
    }
    bad = {name: mean for name, mean in means.items() if not math.isfinite(mean)}
    parts = {name: mean for name, mean in bad.items() if name != _WHOLE}
    return [f'{name} is {mean}' for name, mean in (parts or bad).items()]


def _names_of(batch: Any) -> Iterator[str]:
    """Yield the images of a batch: the path and the id of each, where it has these."""
    if isinstance(batch, BaseDataElement):
        path, number = batch.get('img_path'), batch.get('img_id')
        yield f'{path or "no path"} (id {number})'
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _names_of(value)
    elif isinstance(batch, Sequence) and not isinstance(batch, str):
        for value in batch:
            yield from _names_of(value)


def _describe(faults: list[_Fault]) -> str | None:
    """Say what was not finite in a batch of several processes, if something was."""
    losses = dict.fromkeys(text for fault in faults for text in fault.losses)
    if losses:
        return ', '.join(losses)
    others = list(dict.fromkeys(name for fault in faults for name in fault.others))
    if not others:
        return None
    rest = f', as of {len(others) - 1} more,' if len(others) > 1 else ''
    return f'{others[0]}{rest} is not finite'


def _images(faults: list[_Fault]) -> str:
    """List the images of the processes whose loss is not finite, else of all."""
    bad = [fault for fault in faults if fault.losses] or faults
    return ', '.join(name for fault in bad for name in fault.images) or 'not known'
