"""Adaptive spatial fusion, for AugFPN's context and its RoIs."""

from collections.abc import Sequence

import torch
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn


class AdaptiveSpatialFusion(BaseModule):
    """Add maps of equal size, with a weight for each cell of each map.

    The weights come from all maps together: concatenation, 1x1 convolution, ReLU, 3x3
    convolution to one weight per map, sigmoid. Their sum over the maps is not 1.
    `AugFPN <https://arxiv.org/abs/1912.05384>`_ uses it in residual feature
    augmentation and in soft RoI selection.

    Args:
        channels: Channels of each map.
        num_maps: Number of maps.
        init_cfg: Initialization config.

    Shape:
        - Input: ``num_maps`` maps ``(N, channels, H, W)``.
        - Output: ``(N, channels, H, W)``.
    """

    def __init__(
        self, channels: int, num_maps: int, *, init_cfg: OptMultiConfig = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels * num_maps, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, num_maps, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the weighted sum of ``maps``."""
        weights = self.weigh(torch.cat(list(maps), dim=1)).split(1, dim=1)
        return sum(weight * x for weight, x in zip(weights, maps, strict=True))
