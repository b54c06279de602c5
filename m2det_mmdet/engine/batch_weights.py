"""Lets the batches that a step accumulates teach what one large batch does."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ..utils.values import is_count, is_number


class BatchWeights:
    """Weighs accumulated batches by the positives that their losses are divided by.

    Each batch divides its loss by its own positives, and MMEngine takes the mean of the
    batches. One large batch divides by the positives of all. The weights make the two
    equal; how many positives the step has is known at its end only, so that the
    gradients get the last factor there.

    Only a model with a single head that counts its ``num_positives``
    (:class:`.M2DetHead`), whose losses are all divided by them, is weighed. RefineDet
    has two such heads and one gradient: its step stays the mean of its batches.

    Args:
        wrapper: The optimizer's wrapper.
        model: The model that is trained.

    Attributes:
        state: What a checkpoint within a step has to keep: the positives of the step's
            first batch, those of all so far, and the number of batches; ``None``
            between two steps.
    """

    def __init__(self, wrapper: OptimWrapper, model: nn.Module) -> None:
        heads = [
            module
            for name, module in model.named_modules()
            # Auxiliary heads match the same anchors with the same objects.
            if hasattr(module, 'num_positives') and 'aux_heads.' not in name
        ]
        accumulates = getattr(wrapper, '_accumulative_counts', 1) > 1
        self._head = heads[0] if accumulates and len(heads) == 1 else None
        self.state: dict[str, float] | None = None

    def weigh(self, loss: Tensor) -> Tensor:
        """Return the loss of a batch, for the gradients that are accumulated."""
        if self._head is None:
            return loss
        positives = float(self._head.num_positives)
        if self.state is None:
            first = max(positives, 1.0)
            self.state = {'first': first, 'positives': 0.0, 'batches': 0}
        self.state['positives'] += positives
        self.state['batches'] += 1
        return loss * (max(positives, 1.0) / self.state['first'])

    def finish(self, gradients: Iterable[Tensor]) -> None:
        """End a step: divide its gradients by the positives of all its batches."""
        if self.state is None:
            return
        factor = self.state['batches'] * self.state['first']
        factor /= max(self.state['positives'], 1.0)
        torch._foreach_mul_([*gradients], factor)
        self.state = None


def is_state(value: Any) -> bool:
    """Whether a value is a :attr:`BatchWeights.state`."""
    if value is None:
        return True
    if not isinstance(value, Mapping):
        return False
    first, positives = value.get('first'), value.get('positives')
    return (
        is_count(value.get('batches'))
        and all(map(is_number, (first, positives)))
        and first >= 1
        and positives >= 0
    )
