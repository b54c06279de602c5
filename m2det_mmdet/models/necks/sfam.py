"""Scale-wise feature aggregation with channel attention."""

from collections.abc import Sequence

import torch
from mmdet.models.layers import SELayer
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers.eca import ECALayer

ATTENTIONS = ('se', 'eca', 'none')


class SFAM(BaseModule):
    """Gather the maps of equal scale from all levels and weigh their channels.

    Levels are concatenated in ascending order. With ``attention`` a layer then weighs
    the channels of each scale: squeeze-and-excitation (global average pooling, two 1x1
    convolutions, sigmoid), or :class:`.ECALayer`. SFAM of
    `M2Det <https://arxiv.org/abs/1811.04533>`_, section 3.3, which has the former. In
    the authors' release all scales share one attention layer.

    Args:
        channels: Channels of a concatenated map.
        num_scales: Number of scales.
        attention: How channels are weighed: ``'se'`` or ``True``, ``'eca'``, ``'none'``
            or ``False``.
        reduction: Divisor of ``channels`` inside squeeze-and-excitation.
        shared: Whether all scales use one attention layer.
        init_cfg: Initialization config.

    Shape:
        - Input: for each level the maps of all scales, ``(N, C, H_i, W_i)``.
        - Output: for each scale ``(N, channels, H_i, W_i)``, where
          ``channels`` is the sum of ``C`` over the levels.

    Raises:
        ValueError: If ``attention`` is none of these, or ``reduction`` is not between 1
            and ``channels``.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_scales: int = 6,
        attention: bool | str = True,
        reduction: int = 16,
        shared: bool = False,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        kind = attention
        if isinstance(attention, bool):
            kind = 'se' if attention else 'none'
        if kind not in ATTENTIONS:
            raise ValueError(
                "sfam must be 'se' (the same as True), 'eca' or 'none' (the same as "
                f'False), got {attention!r}.'
            )
        if kind == 'se' and not 1 <= reduction <= channels:
            raise ValueError(
                f'sfam_reduction must lie between 1 and the {channels} channels of '
                f'a pyramid map (num_levels * tum_out_channels), got {reduction}.'
            )
        self.num_scales = num_scales
        num_layers = 1 if shared else num_scales
        self.attention = nn.ModuleList(
            SELayer(channels, reduction) if kind == 'se' else ECALayer(channels)
            for _ in range(0 if kind == 'none' else num_layers)
        )

    def forward(self, levels: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
        """Return one map for each scale from the pyramids of all levels."""
        maps = [torch.cat(scale, dim=1) for scale in zip(*levels, strict=True)]
        if not self.attention:
            return tuple(maps)
        return tuple(layer(x) for layer, x in zip(self._layers(), maps, strict=True))

    def weights(self, levels: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """Return what each channel of each scale is multiplied with.

        Args:
            levels: As of :meth:`forward`.

        Returns:
            ``(N, channels)`` for each scale; ones without attention.
        """
        maps = [torch.cat(scale, dim=1) for scale in zip(*levels, strict=True)]
        if not self.attention:
            return [x.new_ones(x.shape[:2]) for x in maps]
        return [
            _weights(layer, x).flatten(1)
            for layer, x in zip(self._layers(), maps, strict=True)
        ]

    def _layers(self) -> list[nn.Module]:
        """The attention of each scale; one shared layer serves all."""
        return [*self.attention] * (self.num_scales // len(self.attention))


def _weights(layer: SELayer | ECALayer, x: Tensor) -> Tensor:
    if isinstance(layer, ECALayer):
        return layer.weights(x)
    return layer.conv2(layer.conv1(layer.global_avgpool(x)))
