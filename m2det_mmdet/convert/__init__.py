"""State dicts of the authors' release of M2Det, as ours and back.

The release is `VDIGPKU/M2Det <https://github.com/VDIGPKU/M2Det>`_ (PyTorch 0.4). Both
directions follow one table of names, :func:`~m2det_mmdet.convert.names.table_of_names`;
beside names, only the order of the classes differs: the release has the background
first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from .checks import check_fit, check_values
from .error import ConversionError
from .names import COUNTER, UNUSED, Names, table_of_names

__all__ = ['Conversion', 'ConversionError', 'convert', 'from_release', 'to_release']


@dataclass(frozen=True)
class Conversion:
    """A converted state dict, and what became of the one that was read.

    Attributes:
        source: What was read, without the prefix ``module.``.
        state_dict: The result. Only the release's names of one shared layer hold the
            same tensor; none shares memory with ``source``.
        ignored: Names in ``source`` that the network does not use.
        filled: Counters of batches that ``source`` lacks; zero in the result.
        aliases: The release's names of shared layers but the first of each.
    """

    source: dict[str, Tensor]
    state_dict: dict[str, Tensor]
    ignored: Names
    filled: Names
    aliases: Names


def from_release(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict:
    """Convert a state dict of the authors' release to one of ``model``.

    Args:
        state_dict: Names as in the release, with or without ``module.``; counters of
            batches (``num_batches_tracked``) may be absent, as PyTorch 0.4 leaves them.
        model: The detector, with an ``MLFPN``, an ``M2DetHead`` and an ``SSDVGG`` or
            ``ResNet``; only its structure is read, on any device.

    Returns:
        A complete state dict of ``model``; dtypes are those of ``state_dict``.

    Shape:
        Those of the release. ``conf.i`` has rows (anchor, class) with the background
        first; ``cls_convs.i.0`` has the same rows with the background last.

    Raises:
        ConversionError: If the release has no form for ``model``, the names or shapes
            do not fit, a value is no tensor or not finite, or the names of a layer
            that the release shares hold different values.
    """
    return convert(state_dict, model).state_dict


def to_release(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict:
    """Convert a state dict of ``model`` to one of the authors' release.

    Invariant: ``to_release(from_release(x, model), model)`` has the tensors of ``x``,
    bit by bit, but for the unused classifier of a ResNet, which is not written.

    Args:
        state_dict: A state dict of ``model``.
        model: As for :func:`from_release`.

    Returns:
        A state dict with the release's names, without ``module.``.

    Raises:
        ConversionError: As :func:`from_release`; also if separate layers of ``model``,
            which are one in the release, differ.
    """
    return convert(state_dict, model, reverse=True).state_dict


def convert(
    state_dict: Mapping[str, Tensor], model: nn.Module, *, reverse: bool = False
) -> Conversion:
    """Convert in either direction, and tell what was done.

    Args:
        state_dict: As for :func:`from_release`, with ``reverse`` :func:`to_release`.
        model: As there.
        reverse: Whether to convert to the release.

    Raises:
        ConversionError: As there.
    """
    if is_model_wrapper(model):
        model = model.module
    table = table_of_names(model)
    source = _tensors(state_dict)
    ignored = () if reverse else tuple(name for name in UNUSED if name in source)
    check_fit(source, model, table, ignored, reverse)
    check_values(source, table, reverse)
    result: dict[str, Tensor] = {}
    filled: list[str] = []
    for ours, theirs in table:
        read, write = (ours, theirs) if reverse else (theirs, ours)
        present = [source[name] for name in read if name in source]
        if present:
            value = present[0].detach().clone(memory_format=torch.contiguous_format)
        else:
            value = torch.zeros((), dtype=torch.int64)
            filled += read
        if theirs[0].startswith('conf.'):
            # The background moves from the first class of each anchor to the last.
            anchors = value.unflatten(0, (-1, model.bbox_head.cls_out_channels))
            value = anchors.roll(1 if reverse else -1, dims=1).flatten(0, 1)
        # Copies of ours are trained apart; the release's are one tensor.
        result.update({name: value if reverse else value.clone() for name in write})
    aliases = tuple(name for _, theirs in table for name in theirs[1:])
    return Conversion(source, result, ignored, tuple(filled), aliases)


def _tensors(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without the prefix that ``DataParallel`` adds to all."""
    if not isinstance(state_dict, Mapping) or not state_dict:
        kind = type(state_dict).__name__
        raise ConversionError(f'This is no state dict: it is {kind} without tensors.')
    strange = [
        str(name)
        for name, value in state_dict.items()
        if not (isinstance(name, str) and _is_weight(name, value))
    ]
    if strange:
        raise ConversionError(
            'This is no state dict of dense floating point tensors.',
            unexpected=strange,
            advice=["Give what a checkpoint holds below 'state_dict' or 'model'."],
        )
    prefix = 'module.' if all(name.startswith('module.') for name in state_dict) else ''
    return {name.removeprefix(prefix): value for name, value in state_dict.items()}


def _is_weight(name: str, value: object) -> bool:
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
        return False
    return value.is_floating_point() or name.endswith(COUNTER)
