"""Stops a run if its checkpoint does not fit its model."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from ...checkpoints.weights import check_weights


@HOOKS.register_module()
class WeightsCheckHook(Hook):
    """Compares a checkpoint with the model that it is loaded into.

    MMEngine loads the weights that fit and logs the rest, so that a detector may be
    tested with layers of random weights. A training may start from a part of the
    weights, and says so if that is less than half of them; a test needs all of them.
    Checkpoints that share no tensor with the model stop both, as do those of M2Det's
    authors or of RefineDet's PyTorch port that are not converted.

    Raises:
        WeightsError: One sentence that names tensors and the fix.
    """

    # Before hooks that change the checkpoint.
    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check before the weights are loaded."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        trains = isinstance(runner._train_loop, BaseLoop)
        lack = check_weights(checkpoint, model, complete=not trains)
        if lack is not None:
            runner.logger.info(lack)
