"""Compares what a checkpoint holds with a model."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from torch import Tensor, nn

from ..utils.errors import M2DetError
from ..utils.texts import one_line
from .foreign import foreign_owner

# Counters of batches, which old files lack and nothing here uses.
_COUNTER = 'num_batches_tracked'
_NAMED = 3


class WeightsError(M2DetError, ValueError):
    """The tensors of a checkpoint are not those of the model."""


def check_weights(checkpoint: Any, model: nn.Module, *, complete: bool) -> str | None:
    """Compare a checkpoint with ``model``.

    Args:
        checkpoint: A state dict, or a mapping that holds one as ``state_dict`` or
            ``model``.
        model: The detector; its tensors may be without values.
        complete: Whether every tensor of ``model`` has to be there.

    Returns:
        One sentence on what is missing if that is more than half of the tensors.

    Raises:
        WeightsError: If the checkpoint is one to convert, not complete, shares no
            tensor with ``model``, or has tensors of whole numbers or NaN.
    """
    weights = tensors_of(state_dict_of(checkpoint))
    owner = foreign_owner(weights)
    if owner is not None:
        raise WeightsError(
            f'This is a checkpoint of {owner}, whose tensors have other names: '
            'write one that loads here with `m2det convert CHECKPOINT CONFIG OUT`.'
        )
    expected = tensors_of(model.state_dict())
    _check_values(weights, expected)
    missing, misshapen = _absent(weights, model)
    lack = (
        f'lacks {_count_and_name(missing)} and has {_count_and_name(misshapen)} of '
        'another shape'
    )
    if complete and (missing or misshapen):
        raise WeightsError(
            f'The checkpoint does not fit the config: of {len(expected)} tensors it '
            f'{lack}; take the config that it was trained with.'
        )
    absent = len(missing) + len(misshapen)
    if expected and absent == len(expected):
        raise WeightsError(
            'The checkpoint shares no tensor with the model: it has '
            f'{_count_and_name(list(weights))}, and the model '
            f'{_count_and_name(list(expected))}; {_advice(weights, expected)}.'
        )
    if 2 * absent > len(expected):
        return (
            f'Of {len(expected)} tensors of the model the checkpoint {lack}: these '
            'begin with random values.'
        )
    return None


def left_out(checkpoint: Any, model: nn.Module) -> str | None:
    """Tell which parts of ``model`` begin with other values than a checkpoint's.

    Args:
        checkpoint: As of :func:`check_weights`, by which it has been checked.
        model: Likewise.

    Returns:
        ``4 of 98 tensors, in bbox_head.cls_convs``; ``None`` if there are no such.
    """
    missing, misshapen = _absent(tensors_of(state_dict_of(checkpoint)), model)
    names = [*missing, *misshapen]
    if not names:
        return None
    parts = dict.fromkeys('.'.join(name.split('.')[:2]) for name in names)
    total = len(tensors_of(model.state_dict()))
    return f'{len(names)} of {total} tensors, in {", ".join(parts)}'


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


def tensors_of(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors that a model needs, by the names of a model on one device."""
    return {
        name.removeprefix('module.'): value
        for name, value in weights.items()
        if isinstance(value, Tensor) and not name.endswith(_COUNTER)
    }


def _absent(
    weights: Mapping[str, Tensor], model: nn.Module
) -> tuple[list[str], list[str]]:
    """List the tensors of ``model`` that are missing, and those of another shape."""
    expected = tensors_of(model.state_dict())
    misshapen = [
        name
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    missing = [name for name in expected if name not in weights]
    if missing:
        missing = _missing_after_renaming(weights, model, misshapen)
    return missing, misshapen


def _missing_after_renaming(
    weights: Mapping[str, Tensor], model: nn.Module, misshapen: Sequence[str]
) -> list[str]:
    """List what is missing after what ``model`` itself renames in loading."""
    trial = deepcopy(model).to('meta')
    # Where a counter is missing, PyTorch copies one from the CPU, and warns of it.
    empty = {k: v for k, v in trial.state_dict().items() if k.endswith(_COUNTER)}
    empty |= {name: value.to('meta') for name, value in weights.items()}
    # PyTorch raises at tensors of another shape.
    expected = {k: v for k, v in trial.state_dict().items() if k in misshapen}
    missing, _ = trial.load_state_dict(empty | expected, strict=False)
    return missing


def _check_values(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Check that the numbers are of the model's kind, and are numbers.

    Raises:
        WeightsError: At the first tensor that is not.
    """
    for name, value in weights.items():
        if name not in expected:
            continue
        if expected[name].is_floating_point() and not value.is_floating_point():
            raise WeightsError(
                f'Its tensor {name} is of {str(value.dtype).removeprefix("torch.")} '
                'where the model has fractions: take another checkpoint.'
            )
        if value.is_floating_point() and not value.is_meta and value.isnan().any():
            raise WeightsError(
                f'Its tensor {name} holds NaN: its training has diverged, take an '
                'earlier checkpoint.'
            )


def _advice(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Say how weights of a backbone alone are loaded, else to take others."""
    if any(f'backbone.{name}' in expected for name in weights):
        return (
            'these are weights of a backbone: name the file in '
            "model.backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
    return 'take a checkpoint of a detector of this kind'


def _count_and_name(names: Sequence[str]) -> str:
    """Count ``names`` and list the first ones."""
    if not names:
        return 'none'
    more = ', ...' if len(names) > _NAMED else ''
    first = ', '.join(one_line(name, 60) for name in names[:_NAMED])
    return f'{len(names)} ({first}{more})'
