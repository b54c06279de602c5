"""Converts state dicts of other code to ours and back, by a table of names.

Only names and the order of the classes differ: the other code has the background first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from ..models.detectors import RefineDet
from .checks import check_fit, check_values
from .error import ConversionError
from .formats.m2det import M2DET
from .formats.refinedet import REFINEDET
from .formats.release import COUNTER, Names, Release


@dataclass(frozen=True)
class Conversion:
    """A converted state dict, and a record of the conversion.

    Attributes:
        source: The input, without the prefix ``module.``.
        state_dict: The result. It shares no memory with ``source``. Two of its names
            share a tensor only if they are one layer in the release.
        ignored: Names in ``source`` that the network does not use.
        filled: Counters of batches that ``source`` lacks; zero in the result.
        aliases: The release's further names of shared layers, without the first.
    """

    source: dict[str, Tensor]
    state_dict: dict[str, Tensor]
    ignored: Names
    filled: Names
    aliases: Names


def convert(
    state_dict: Mapping[str, Tensor],
    model: nn.Module,
    *,
    reverse: bool = False,
    release: Release | None = None,
) -> Conversion:
    """Convert in either direction, and record what was done.

    Args:
        state_dict: As for :func:`.from_release`, with ``reverse``
            :func:`.to_release`.
        model: As there.
        reverse: Whether to convert to the other code's form.
        release: The other code; by default the PyTorch port for a ``RefineDet``, and
            the release of M2Det's authors for any other detector.

    Raises:
        ConversionError: As there.
    """
    if is_model_wrapper(model):
        model = model.module
    if release is None:
        release = REFINEDET if isinstance(model, RefineDet) else M2DET
    table = release.table(model)
    source = _tensors(state_dict)
    ignored = () if reverse else tuple(x for x in release.unused if x in source)
    check_fit(source, model, release, table, ignored, reverse)
    check_values(source, release, table, reverse)
    result: dict[str, Tensor] = {}
    filled: list[str] = []
    for ours, theirs, classes in table:
        read, write = (ours, theirs) if reverse else (theirs, ours)
        present = [source[name] for name in read if name in source]
        if present:
            value = present[0].detach().clone(memory_format=torch.contiguous_format)
        else:
            value = torch.zeros((), dtype=torch.int64)
            filled += read
        if classes:
            # The background moves from the first class of each anchor to the last.
            anchors = value.unflatten(0, (-1, classes))
            value = anchors.roll(1 if reverse else -1, dims=1).flatten(0, 1)
        # Our copies are separate layers; those of the release are one tensor.
        result.update({name: value if reverse else value.clone() for name in write})
    aliases = tuple(name for _, theirs, _ in table for name in theirs[1:])
    return Conversion(source, result, ignored, tuple(filled), aliases)


def _tensors(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without the prefix of ``DataParallel``."""
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
