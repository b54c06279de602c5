"""RoI extractors that take each RoI from all levels of a pyramid."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from torch import Tensor, nn

from ..layers.level_fusion import LevelFusion
from ..layers.spatial_fusion import AdaptiveSpatialFusion
from ..utils.defaults import FrozenConfig

XAVIER = FrozenConfig(type='Xavier', layer='Conv2d', distribution='uniform')


@MODELS.register_module()
class AllLevelRoIExtractor(BaseRoIExtractor):
    """Pool each RoI from every level, whatever its size.

    For heads that take the levels apart, as :class:`.PANetBBoxHead`. Arguments are
    those of :class:`mmdet.models.roi_heads.roi_extractors.BaseRoIExtractor`.

    Shape:
        - Input: a map ``(N, C, H_i, W_i)`` for each of ``featmap_strides``; RoIs
          ``(K, 5)``, rows ``batch index, x1, y1, x2, y2`` in input pixels.
        - Output: for each level ``(K, C, h, w)``, the size of the RoI layer.

    Raises:
        ValueError: If there are not as many maps as strides.
    """

    def forward(
        self,
        feats: Sequence[Tensor],
        rois: Tensor,
        roi_scale_factor: float | None = None,
    ) -> list[Tensor]:
        """Return the RoIs, pooled from each level.

        Args:
            feats: Maps, the largest first.
            rois: RoIs of the batch.
            roi_scale_factor: Factor that enlarges the RoIs.
        """
        if len(feats) != len(self.featmap_strides):
            raise ValueError(
                f'{type(self).__name__} pools from {len(self.featmap_strides)} levels '
                f'(featmap_strides={list(self.featmap_strides)}) and got {len(feats)} '
                'maps: give one stride for each map.'
            )
        if roi_scale_factor is not None:
            rois = self.roi_rescale(rois, roi_scale_factor)
        return [
            _pool(layer, x, rois)
            for layer, x in zip(self.roi_layers, feats, strict=True)
        ]


def _pool(layer: nn.Module, x: Tensor, rois: Tensor) -> Tensor:
    """Pool ``rois`` from ``x``, in float32 or better.

    Compiled RoI layers have no bfloat16, need one dtype for both, and read ``x`` as if
    it were contiguous. Without an RoI there is nothing to launch on a GPU.
    """
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if not len(rois):
        return x[:0, :, :1, :1].expand(-1, -1, *layer.output_size)
    return layer(x.contiguous(), rois.to(x.dtype))


class _FusingRoIExtractor(AllLevelRoIExtractor):
    """Pool each RoI from all levels, and make one of them by ``fusion``."""

    fusion: nn.Module

    def forward(
        self,
        feats: Sequence[Tensor],
        rois: Tensor,
        roi_scale_factor: float | None = None,
    ) -> Tensor:
        """Return the fused RoIs; arguments as for :class:`AllLevelRoIExtractor`."""
        return self.fusion(super().forward(feats, rois, roi_scale_factor))


@MODELS.register_module()
class SoftRoIExtractor(_FusingRoIExtractor):
    """Soft RoI selection: pool from all levels, and learn the weight of each.

    mmdet's ``SingleRoIExtractor`` chooses one level by the size of the RoI. Here each
    cell of an RoI is a sum over all levels, weighted by
    :class:`.AdaptiveSpatialFusion`. It replaces that extractor for boxes and for masks.
    `AugFPN <https://arxiv.org/abs/1912.05384>`_.

    Args:
        roi_layer: Config of the RoI layer.
        out_channels: Channels of the maps.
        featmap_strides: Stride of each map, in input pixels.
        init_cfg: Initialization config, by default Xavier's as in the neck.

    Shape:
        - Input: as for :class:`AllLevelRoIExtractor`.
        - Output: ``(K, out_channels, h, w)``, the size of the RoI layer.
    """

    def __init__(
        self,
        roi_layer: dict,
        out_channels: int,
        featmap_strides: Sequence[int],
        init_cfg: OptMultiConfig = XAVIER,
    ) -> None:
        super().__init__(roi_layer, out_channels, featmap_strides, init_cfg=init_cfg)
        self.fusion = AdaptiveSpatialFusion(out_channels, len(featmap_strides))


@MODELS.register_module()
class FusedRoIExtractor(_FusingRoIExtractor):
    """Pool each RoI from all levels, and fuse these by their maximum or sum.

    It replaces mmdet's ``SingleRoIExtractor`` before any head. `PANet
    <https://arxiv.org/abs/1803.01534>`_ fuses behind the first layer of the head
    instead, which its paper found better: :class:`.PANetBBoxHead`,
    :class:`.PANetMaskHead`.

    Args:
        *args: Arguments of :class:`AllLevelRoIExtractor`.
        fusion: ``'max'`` or ``'sum'``.
        **kwargs: Arguments of :class:`AllLevelRoIExtractor`.

    Shape:
        - Input: as for :class:`AllLevelRoIExtractor`.
        - Output: ``(K, C, h, w)``, the size of the RoI layer.

    Raises:
        ValueError: If ``fusion`` is not known.
    """

    def __init__(self, *args: Any, fusion: str = 'max', **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fusion = LevelFusion(fusion)
