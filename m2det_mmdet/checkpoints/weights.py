"""Compares what a checkpoint holds with a model."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from torch import Tensor, nn

from ..utils.errors import M2DetError
from .foreign import foreign_owner

# Counters of batches, which old files lack and nothing here uses.
_COUNTER = 'num_batches_tracked'
_NAMED = 3


class WeightsError(M2DetError, ValueError):
    """The tensors of a checkpoint are not those of the model."""


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
    owner = foreign_owner(weights)
    if owner is not None:
        raise WeightsError(
            f'This is a checkpoint of {owner}, whose tensors have other names: '
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
        f'{_count_and_name(missing)} and has {_count_and_name(misshapen)} of another '
        'shape; take the config that it was trained with.'
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
    # Where a counter is missing, PyTorch copies one from the CPU, and warns of it.
    empty = {k: v for k, v in trial.state_dict().items() if k.endswith(_COUNTER)}
    empty |= {name: value.to('meta') for name, value in weights.items()}
    try:
        missing, _ = trial.load_state_dict(empty, strict=False)
    except RuntimeError:
        # Tensors of another shape.
        return False
    return not missing


def _count_and_name(names: Sequence[str]) -> str:
    """Count ``names`` and list the first ones."""
    if not names:
        return 'none'
    more = ', ...' if len(names) > _NAMED else ''
    return f'{len(names)} ({", ".join(names[:_NAMED])}{more})'
