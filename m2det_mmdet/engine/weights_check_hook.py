"""Stops a run whose checkpoint is not one of its model."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn

# Counters of batches, which old files lack and nothing here uses.
_COUNTER = 'num_batches_tracked'
# How a name begins that only unconverted checkpoints have, and whose they are.
_UNCONVERTED = {'unet1.': "M2Det's authors", 'arm_conf.': "RefineDet's PyTorch port"}
_NAMED = 3


class WeightsError(ValueError):
    """The tensors of a checkpoint are not those of the model."""


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


def check_weights(checkpoint: Any, model: nn.Module, *, complete: bool) -> None:
    """Compare a checkpoint with ``model``.

    Args:
        checkpoint: A state dict, or a mapping that holds one as ``state_dict`` or
            ``model``.
        model: The detector.
        complete: Whether every tensor of ``model`` has to be there.

    Raises:
        WeightsError: If the checkpoint is one to convert, or not complete.
    """
    weights = _tensors(state_dict_of(checkpoint))
    for sign, others in _UNCONVERTED.items():
        if any(name.startswith(sign) for name in weights):
            raise WeightsError(
                f'This is a checkpoint of {others}, whose tensors have other names: '
                'write one that loads here with `m2det convert CHECKPOINT CONFIG OUT`.'
            )
    expected = _tensors(model.state_dict())
    missing = [name for name in expected if name not in weights]
    misshapen = [
        name
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if not complete or not (missing or misshapen) or _loads(weights, model):
        return
    raise WeightsError(
        f'The checkpoint does not fit the config: of {len(expected)} tensors it lacks '
        f'{_some(missing)} and has {_some(misshapen)} of another shape; take the '
        'config that it was trained with.'
    )


def state_dict_of(checkpoint: Any) -> Mapping[str, Any]:
    """Return what a checkpoint holds as ``state_dict`` or ``model``, else all of it.

    Raises:
        WeightsError: If it is no mapping.
    """
    if not isinstance(checkpoint, Mapping):
        raise WeightsError(
            f'The checkpoint holds no state dict but one {type(checkpoint).__name__}: '
            'take another file.'
        )
    inner = (checkpoint.get(key) for key in ('state_dict', 'model'))
    return next((x for x in inner if isinstance(x, Mapping)), checkpoint)


def _tensors(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors that a model needs, by the names of a model on one device."""
    return {
        name.removeprefix('module.'): value
        for name, value in weights.items()
        if isinstance(value, Tensor) and not name.endswith(_COUNTER)
    }


def _loads(weights: Mapping[str, Tensor], model: nn.Module) -> bool:
    """Whether nothing is missing after what ``model`` itself renames in loading."""
    trial = deepcopy(model).to('meta')
    empty = {name: value.to('meta') for name, value in weights.items()}
    try:
        missing, _ = trial.load_state_dict(empty, strict=False)
    except RuntimeError:
        # Tensors of another shape.
        return False
    return all(name.endswith(_COUNTER) for name in missing)


def _some(names: Sequence[str]) -> str:
    """Count ``names`` and tell the first ones."""
    if not names:
        return 'none'
    more = ', ...' if len(names) > _NAMED else ''
    return f'{len(names)} ({", ".join(names[:_NAMED])}{more})'
