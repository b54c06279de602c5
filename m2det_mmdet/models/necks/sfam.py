"""Scale-wise feature aggregation with channel attention."""

from collections.abc import Sequence

import torch
from mmdet.models.layers import SELayer
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn


class SFAM(BaseModule):
    """Gather the maps of equal scale from all levels and weigh their channels.

    Levels are concatenated in ascending order. With ``attention`` a
    squeeze-and-excitation layer (global average pooling, two 1x1 convolutions,
    sigmoid) then weighs the channels of each scale. SFAM of
    `M2Det <https://arxiv.org/abs/1811.04533>`_, section 3.3. In the authors'
    release all scales share one attention layer.

    Args:
        channels: Channels of a concatenated map.
        num_scales: Number of scales.
        attention: Whether to weigh the channels.
        reduction: Divisor of ``channels`` inside the attention.
        shared: Whether all scales use one attention layer.
        init_cfg: Initialization config.

    Shape:
        - Input: for each level the maps of all scales, ``(N, C, H_i, W_i)``.
        - Output: for each scale ``(N, channels, H_i, W_i)``, where
          ``channels`` is the sum of ``C`` over the levels.

    Raises:
        ValueError: If ``reduction`` is not between 1 and ``channels``.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_scales: int = 6,
        attention: bool = True,
        reduction: int = 16,
        shared: bool = False,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if attention and not 1 <= reduction <= channels:
            raise ValueError(
                f'sfam_reduction must lie between 1 and the {channels} channels of '
                f'a pyramid map (num_levels * tum_out_channels), got {reduction}.'
            )
        self.num_scales = num_scales
        num_layers = (1 if shared else num_scales) if attention else 0
        self.attention = nn.ModuleList(
            SELayer(channels, reduction) for _ in range(num_layers)
        )

    def forward(self, levels: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
        """Return one map for each scale from the pyramids of all levels."""
        maps = [torch.cat(scale, dim=1) for scale in zip(*levels, strict=True)]
        if not self.attention:
            return tuple(maps)
        # One shared layer serves every scale.
        layers = list(self.attention) * (self.num_scales // len(self.attention))
        return tuple(layer(x) for layer, x in zip(layers, maps, strict=True))
