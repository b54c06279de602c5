"""The channels of maps: those that a module was built for, and those that it gets."""

from collections.abc import Sequence
from inspect import signature
from itertools import chain

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from torch import Tensor, nn
from torch.func import functional_call

# Of the images of a trial: one cell of the coarsest map of usual backbones.
_SIDE = 64


def follow_backbone(
    neck: ConfigType | list[ConfigType], backbone: nn.Module
) -> ConfigType | list[ConfigType]:
    """Give a neck the channels of its backbone where its config has none, or ``None``.

    Args:
        neck: Config of the neck, or of a chain of necks, of which the first counts.
        backbone: What makes its maps.

    Returns:
        ``neck``, or a copy with ``in_channels`` in the first config. A neck that can
        be built without them stays as it is.

    Raises:
        ValueError: As :func:`map_channels`.
    """
    first = neck[0] if isinstance(neck, list) else neck
    kind = first['type']
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    taken = signature(kind).parameters.get('in_channels') if kind else None
    is_needed = taken is not None and taken.default is taken.empty
    if first.get('in_channels') is not None or not is_needed:
        return neck
    first = first.copy()
    first['in_channels'] = map_channels(backbone)
    return [first, *neck[1:]] if isinstance(neck, list) else first


def map_channels(backbone: nn.Module) -> list[int]:
    """Return the channels of each map that a backbone makes of an image.

    They are its ``out_channels``, if that is a sequence. Else two images without values
    are passed through it; neither its weights nor its statistics change.

    Args:
        backbone: The backbone; it takes images of three channels.

    Raises:
        ValueError: If the trial fails.
    """
    declared = getattr(backbone, 'out_channels', None)
    if isinstance(declared, Sequence):
        return list(declared)
    named = chain(backbone.named_parameters(), backbone.named_buffers())
    state = {name: value.to('meta') for name, value in named}
    images = torch.empty(2, 3, _SIDE, _SIDE, device='meta')
    try:
        with torch.no_grad():
            maps = functional_call(backbone, state, (images,))
    except Exception as error:
        raise ValueError(
            f'The neck has no in_channels, and what {type(backbone).__name__} makes '
            f'could not be found ({type(error).__name__}: {error}): give in_channels '
            'of the neck.'
        ) from error
    # DetectoRS_ResNet hands the image on with its maps.
    return [x.shape[1] for x in maps if x.shape[-1] != _SIDE]


def check_channels(
    maps: Sequence[Tensor],
    in_channels: Sequence[int],
    *,
    taker: str = 'neck',
    giver: str = 'out_indices of the backbone',
) -> None:
    """Raise if ``maps`` do not have ``in_channels``.

    Args:
        maps: Maps ``(N, C_i, H_i, W_i)``.
        in_channels: Channels that each of them must have.
        taker: What the message calls the module that takes the maps.
        giver: What the message calls the source of the maps.

    Raises:
        ValueError: If the number of maps or the channels of one differ.
    """
    channels = [x.shape[1] for x in maps]
    if channels != list(in_channels):
        raise ValueError(
            f'The {taker} was built for {len(in_channels)} maps of '
            f'{list(in_channels)} channels and got {len(channels)} of {channels}: '
            f'make in_channels of the {taker} fit {giver}.'
        )
