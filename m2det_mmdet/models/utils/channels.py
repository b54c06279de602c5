"""Whether maps have the channels that a module was built for."""

from collections.abc import Sequence

from torch import Tensor


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
