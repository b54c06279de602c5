"""Conversion of other code's state dicts to ours, and back.

- M2Det's authors: `VDIGPKU/M2Det <https://github.com/VDIGPKU/M2Det>`_,
  :mod:`.formats.m2det`.
- RefineDet's PyTorch port: `luuuyi/RefineDet.PyTorch
  <https://github.com/luuuyi/RefineDet.PyTorch>`_,
  :mod:`.formats.refinedet`.

Both use one engine, :mod:`.conversion`, with a table of names for each.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from .conversion import Conversion, convert
from .error import ConversionError
from .formats.m2det import M2DET
from .formats.refinedet import REFINEDET

__all__ = [
    'Conversion',
    'ConversionError',
    'convert',
    'from_refinedet',
    'from_release',
    'to_refinedet',
    'to_release',
]


def from_release(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict:
    """Convert a state dict of the authors' release to one of ``model``.

    Args:
        state_dict: Names as in the release, with or without ``module.``. Counters of
            batches (``num_batches_tracked``) may be missing, as in PyTorch 0.4.
        model: The detector, with an ``MLFPN``, an ``M2DetHead`` and an ``SSDVGG`` or
            ``ResNet``, on any device; only its structure is read.

    Returns:
        A complete state dict of ``model``; dtypes are those of ``state_dict``.

    Shape:
        Those of the release. ``conf.i`` has rows (anchor, class) with the background
        first; ``cls_convs.i.0`` has the same rows with the background last.

    Raises:
        ConversionError: If the release cannot express ``model``, the names or shapes
            do not fit, a value is not a tensor or not finite, or the copies of a
            layer that the release shares differ.
    """
    return convert(state_dict, model, release=M2DET).state_dict


def to_release(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict:
    """Convert a state dict of ``model`` to one of the authors' release.

    Invariant: ``to_release(from_release(x, model), model)`` has the tensors of ``x``,
    bit by bit, except the unused classifier of a ResNet, which is not written.

    Args:
        state_dict: A state dict of ``model``.
        model: As for :func:`from_release`.

    Returns:
        A state dict with the release's names, without ``module.``.

    Raises:
        ConversionError: As :func:`from_release`; also if layers of ``model`` differ
            that are one layer in the release.
    """
    return convert(state_dict, model, reverse=True, release=M2DET).state_dict


def from_refinedet(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict:
    """Convert a state dict of RefineDet's PyTorch port to one of ``model``.

    Args:
        state_dict: Names as in the port, with or without ``module.``.
        model: The ``RefineDet``, with a ``RefineDetVGG`` and a ``TCB``, on any device;
            only its structure is read.

    Returns:
        A complete state dict of ``model``; dtypes are those of ``state_dict``.

    Shape:
        Those of the port. ``arm_conf.i`` has rows (anchor, class) with the background
        before the object, and ``odm_conf.i`` with the background before the classes;
        ``cls_convs.i.0`` of both heads have the same rows with the background last.

    Raises:
        ConversionError: If the port cannot express ``model``, the names or shapes do
            not fit, or a value is not a tensor or not finite.
    """
    return convert(state_dict, model, release=REFINEDET).state_dict


def to_refinedet(state_dict: Mapping[str, Tensor], model: nn.Module) -> dict:
    """Convert a state dict of ``model`` to one of RefineDet's PyTorch port.

    Invariant: ``to_refinedet(from_refinedet(x, model), model)`` has the tensors of
    ``x``, bit by bit.

    Args:
        state_dict: A state dict of ``model``.
        model: As for :func:`from_refinedet`.

    Returns:
        A state dict with the port's names.

    Raises:
        ConversionError: As :func:`from_refinedet`.
    """
    return convert(state_dict, model, reverse=True, release=REFINEDET).state_dict
