"""Stops a training that diverges."""

import math
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...utils.errors import M2DetError


class DivergenceError(M2DetError, FloatingPointError):
    """A training has diverged."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops at the first loss that is infinite or NaN.

    mmdet's ``CheckInvalidLossHook`` raises an assertion without a message, so that the
    last line of the log does not explain the stop. Of several processes all stop where
    the loss of one is not finite: the others would wait for its gradients.

    Raises:
        DivergenceError: One sentence that names the iteration.
    """

    # Before other hooks use the loss.
    priority = 'VERY_HIGH'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the total loss, in several processes at the sum of theirs."""
        own = torch.as_tensor(outputs['loss']).item()
        losses = torch.tensor(own, dtype=torch.float64)
        all_reduce(losses)
        loss = losses.item()
        if not math.isfinite(loss):
            raise DivergenceError(
                f'The loss is {loss} after {runner.iter + 1} iterations: lower '
                'the learning rate, or clip the gradient.'
            )
