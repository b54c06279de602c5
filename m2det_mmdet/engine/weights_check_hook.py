"""Stops a run whose checkpoint is not one of its model."""

from collections.abc import Mapping, Sequence

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn

# Counters of batches, which old files lack and nothing here uses.
_COUNTER = 'num_batches_tracked'
_NAMED = 3


class WeightsError(ValueError):
    """The tensors of a checkpoint are not those of the model."""


@HOOKS.register_module()
class WeightsCheckHook(Hook):
    """Compares what a checkpoint holds with the model that it is loaded into.

    MMEngine loads what fits and logs the rest: a detector is then tested with layers
    of random weights. A training may start from a part of the weights; a test needs
    all of them. Unconverted checkpoints of M2Det's authors stop both.

    Raises:
        WeightsError: One sentence that names tensors and the fix.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check before the weights are loaded."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        trains = isinstance(runner._train_loop, BaseLoop)
        check_weights(checkpoint, model, complete=not trains)


def check_weights(checkpoint: Mapping, model: nn.Module, *, complete: bool) -> None:
    """Compare a checkpoint with ``model``.

    Args:
        checkpoint: A state dict, or a mapping that holds one as ``state_dict``.
        model: The detector.
        complete: Whether every tensor of ``model`` has to be there.

    Raises:
        WeightsError: If the checkpoint is of the authors' release, or not complete.
    """
    weights: Mapping[str, Tensor] = checkpoint.get('state_dict', checkpoint)
    shapes = {name.removeprefix('module.'): x.shape for name, x in weights.items()}
    if any(name.startswith('unet1.') for name in shapes):
        raise WeightsError(
            "This is a checkpoint of M2Det's authors, whose tensors have other names: "
            'write one that loads here with `m2det convert CHECKPOINT CONFIG OUT`.'
        )
    expected = {
        name.removeprefix('module.'): x.shape
        for name, x in model.state_dict().items()
        if not name.endswith(_COUNTER)
    }
    missing = [name for name in expected if name not in shapes]
    misshapen = [
        name
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    if complete and (missing or misshapen):
        raise WeightsError(
            f'The checkpoint does not fit the config: of {len(expected)} tensors it '
            f'lacks {_some(missing)} and has {_some(misshapen)} of another shape; take '
            'the config that it was trained with.'
        )


def _some(names: Sequence[str]) -> str:
    """Count ``names`` and tell the first ones."""
    if not names:
        return 'none'
    more = ', ...' if len(names) > _NAMED else ''
    return f'{len(names)} ({", ".join(names[:_NAMED])}{more})'
