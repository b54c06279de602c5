"""Lets an optimizer take no step that would not be one of numbers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from itertools import chain
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.optim import ApexOptimWrapper, OptimWrapper
from torch import Tensor, nn

from .batch_weights import BatchWeights
from .soundness import is_finite, look_finite, statistics_of


class StepGuard:
    """Stands between the ``update_params`` of an optimizer's wrapper and its ``step``.

    Where the loss, a gradient or a running statistic is not finite, the step is left
    out; in several processes by all of them, also where it is so in one alone. With
    accumulated gradients that is the step at the end, whichever batch was the bad one.
    The wrapper is changed as MMEngine's schedulers change it, in this object alone, so
    that any registered one can be guarded.

    Accumulated batches get their :class:`.BatchWeights` here, too.

    Gradients do not count where the scale of the loss follows their overflow, in
    automatic mixed precision: the scaler leaves such a step out itself.

    Args:
        wrapper: The wrapper, of any kind.
        model: The model that is trained, for its statistics and names.

    Attributes:
        weights: Those of the batches of a step.
        is_bad: Whether the last batch, or one since the last step, was not finite.
        is_open: Whether gradients wait for a step.
        skipped: Whether the last batch ended with a step that was left out; ``None``
            where there was none to take.
        loss: The loss of the last batch.
        gradients: Names of the parameters whose gradients were not finite, where the
            step was left out; empty where an earlier batch had spoilt them.
    """

    def __init__(self, wrapper: OptimWrapper, model: nn.Module) -> None:
        self._wrapper = wrapper
        self._model = model
        self._statistics = [
            tensor for _, tensor in statistics_of(model) if tensor.is_floating_point()
        ]
        self._follows_overflow = _follows_overflow(wrapper)
        self.weights = BatchWeights(wrapper, model)
        self.is_bad = self.is_open = False
        self.skipped: bool | None = None
        self.loss: Tensor | None = None
        self.gradients: list[str] = []
        self._undo = ExitStack()
        for name, guard in (('update_params', self._update), ('step', self._step)):
            before = getattr(wrapper, name)
            self._undo.enter_context(replaced(wrapper, name, guard(before)))

    def release(self) -> None:
        """Give the wrapper back as it was."""
        self._undo.close()

    def begin(self) -> None:
        """Forget the batch before."""
        if not self.is_open:
            self.is_bad = False
        self.skipped, self.loss, self.gradients = None, None, []

    def _update(self, before: Callable[..., None]) -> Callable[..., None]:
        @wraps(before)
        def update(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            self.loss = torch.as_tensor(loss).detach()
            self.is_open = True
            before(self.weights.weigh(loss), *args, **kwargs)
            if self.is_open:
                # No step was due; one that is shall not take these gradients.
                self.is_bad |= not self._finite_everywhere([])

        return update

    def _step(self, before: Callable[..., None]) -> Callable[..., None]:
        # It keeps the attribute by which schedulers know that they count its calls.
        @wraps(before)
        def step(**kwargs: Any) -> None:
            self.weights.finish(self._gradients())
            gradients = [] if self._follows_overflow else [*self._gradients()]
            was_bad = self.is_bad
            self.is_bad |= not self._finite_everywhere(gradients)
            self.is_open = False
            self.skipped = self.is_bad
            if not self.is_bad:
                before(**kwargs)
            elif not (was_bad or self._follows_overflow):
                self.gradients = self._names_of_bad_gradients()

        return step

    def _gradients(self) -> Iterator[Tensor]:
        for group in self._wrapper.optimizer.param_groups:
            for parameter in group['params']:
                if parameter.grad is not None:
                    yield parameter.grad

    def _finite_everywhere(self, gradients: list[Tensor]) -> bool:
        """Whether all is finite in all processes; waits for the device once."""
        losses = [] if self.loss is None else [self.loss]
        tensors = [*losses, *self._statistics, *gradients]
        if _in_all(look_finite(tensors)):
            return True
        # Squares of large numbers are not finite, either: now it is looked at exactly.
        return _in_all(torch.tensor(all(map(is_finite, tensors))))

    def _names_of_bad_gradients(self) -> list[str]:
        names = {value: name for name, value in self._model.named_parameters()}
        groups = self._wrapper.optimizer.param_groups
        return [
            names.get(parameter, 'a parameter')
            for parameter in chain.from_iterable(group['params'] for group in groups)
            if parameter.grad is not None and not is_finite(parameter.grad)
        ]


def _in_all(flag: Tensor) -> bool:
    """Whether a flag is set in all processes."""
    lowest = flag.to(torch.float32)
    all_reduce(lowest, op='min')
    return bool(lowest)


def _follows_overflow(wrapper: OptimWrapper) -> bool:
    """Whether a dynamic scale of the loss leaves steps of overflow out by itself."""
    if isinstance(wrapper, ApexOptimWrapper):
        return True
    has_scaler = getattr(wrapper, 'loss_scaler', None) is not None
    return has_scaler and getattr(wrapper, '_scale_update_param', None) is None


@contextmanager
def replaced(owner: object, name: str, value: Any) -> Iterator[None]:
    """Replace a method in one object."""
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
