"""Stops a run whose checkpoint is not one of its model."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from ...checkpoints.weights import check_weights


@HOOKS.register_module()
class WeightsCheckHook(Hook):
    """Compares what a checkpoint holds with the model that it is loaded into.

    MMEngine loads what fits and logs the rest: a detector is then tested with layers
    of random weights. A training may start from a part of the weights; a test needs
    all of them. Unconverted checkpoints, of M2Det's authors or of RefineDet's PyTorch
    port, stop both.

    Raises:
        WeightsError: One sentence that names tensors and the fix.
    """

    # Before hooks that take the checkpoint apart.
    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check before the weights are loaded."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        trains = isinstance(runner._train_loop, BaseLoop)
        check_weights(checkpoint, model, complete=not trains)
