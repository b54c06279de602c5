"""The neck of AugFPN: a feature pyramid whose top gains context."""

from collections.abc import Sequence

import torch
from mmdet.models.necks import FPN
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...utils.symbolic import is_symbolic
from ..layers.spatial_fusion import AdaptiveSpatialFusion
from ..utils.channels import check_channels


@MODELS.register_module()
class AugFPN(FPN):
    """FPN with residual feature augmentation of its coarsest lateral.

    `AugFPN <https://arxiv.org/abs/1912.05384>`_: the coarsest input is pooled to some
    fractions of its size. This context is added to its lateral before the top-down
    path. The rest is :class:`mmdet.models.necks.FPN`; its weights keep their names.
    The paper's other parts are :class:`.ConsistentSupervision`, which needs the
    laterals of :meth:`forward_with_laterals`, and :class:`.SoftRoIExtractor`.

    Args:
        in_channels: Channels of the backbone's maps, the largest map first.
        out_channels: Channels of all output maps.
        num_outs: Number of output maps.
        pool_ratios: Fractions of the coarsest map's height and width to which it is
            pooled.
        augment_extra: Whether the mean of the context over the image is added to the
            first extra map (P6), before the next one is made from it. The authors'
            release does so for single-stage detectors; the paper does not mention it.
            Needs ``add_extra_convs``.
        **kwargs: Further arguments of ``FPN``.

    Shape:
        - Input: maps ``(N, in_channels[i], H_i, W_i)``, the largest first.
        - Output: ``num_outs`` maps of ``out_channels`` channels. The first have the
          sizes of the inputs; each extra map has half the size of the one before,
          rounded up.

    Raises:
        ValueError: If ``num_outs`` or ``pool_ratios`` is not valid, or
            ``augment_extra`` is set and no extra map is made by convolution; in
            ``forward``, if the inputs do not have ``in_channels``.

    Note:
        The release enlarges maps by a factor of 2, for images padded to a multiple of
        32. Here each map is enlarged to the size of the next finer one, so that images
        of any size work. The release's neck also returns the laterals, and its
        test-time augmentation fails on them.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        *,
        pool_ratios: Sequence[float] = (0.1, 0.2, 0.3),
        augment_extra: bool = False,
        **kwargs,  # noqa: ANN003
    ) -> None:
        _check_levels(
            len(in_channels),
            num_outs,
            kwargs.get('start_level', 0),
            kwargs.get('end_level', -1),
        )
        if 'scale_factor' in (kwargs.get('upsample_cfg') or {}):
            raise ValueError(
                'AugFPN enlarges each map to the size of the next finer one: remove '
                'scale_factor from upsample_cfg.'
            )
        super().__init__(list(in_channels), out_channels, num_outs, **kwargs)
        if augment_extra and len(self.fpn_convs) == len(self.lateral_convs):
            raise ValueError(
                'augment_extra adds to the first extra map, but the neck makes none by '
                f'convolution (num_outs={num_outs}, add_extra_convs='
                f'{self.add_extra_convs!r}): set both, or leave augment_extra out.'
            )
        self.augment_extra = augment_extra
        self.augmentation = ResidualFeatureAugmentation(
            self.in_channels[self.backbone_end_level - 1],
            out_channels,
            pool_ratios=pool_ratios,
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the pyramid, the largest map first."""
        return self.forward_with_laterals(inputs)[0]

    def forward_with_laterals(
        self, inputs: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the pyramid and its laterals.

        There is one lateral for each input from ``start_level`` on, the largest first,
        before the context and the top-down path are added. Only training needs them.
        """
        check_channels(inputs, self.in_channels)
        used = inputs[self.start_level : self.backbone_end_level]
        laterals = tuple(
            conv(x) for conv, x in zip(self.lateral_convs, used, strict=True)
        )
        context = self.augmentation(used[-1])
        merged = [laterals[-1] + context]
        for lateral in reversed(laterals[:-1]):
            size = lateral.shape[-2:]
            coarse = F.interpolate(merged[0], size=size, **self.upsample_cfg)
            merged.insert(0, lateral + coarse)
        # Further convolutions may follow, for the extra maps.
        outs = [conv(x) for conv, x in zip(self.fpn_convs, merged, strict=False)]
        sources = {
            'on_input': used[-1],
            'on_lateral': merged[-1],
            'on_output': outs[-1],
        }
        extra = self._extra(outs[-1], sources.get(self.add_extra_convs), context)
        return (*outs, *extra), laterals

    def _extra(
        self, coarsest: Tensor, source: Tensor | None, context: Tensor
    ) -> list[Tensor]:
        """Return the extra maps, which come after those of the inputs.

        Args:
            coarsest: The coarsest output so far. Without convolutions the extra maps
                are every second cell of it.
            source: Input of the first extra convolution; ``None`` without one.
            context: Fused context of the coarsest input.
        """
        num_laterals = len(self.lateral_convs)
        if source is None:
            extra = [coarsest]
            while len(extra) <= self.num_outs - num_laterals:
                extra.append(extra[-1][..., ::2, ::2])
            return extra[1:]
        extra = []
        for conv in self.fpn_convs[num_laterals:]:
            x = conv(source)
            if self.augment_extra and not extra:
                x = x + context.mean(dim=(2, 3), keepdim=True)
            extra.append(x)
            source = F.relu(x) if self.relu_before_extra_convs else x
        return extra


def _check_levels(
    num_ins: int, num_outs: int, start_level: int, end_level: int
) -> None:
    """Raise if FPN cannot make ``num_outs`` maps from these levels."""
    last = num_ins - 1 if end_level == -1 else end_level
    if not 0 <= start_level <= last < num_ins:
        raise ValueError(
            f'start_level={start_level} and end_level={end_level} must be levels of '
            f'the {num_ins} maps of the backbone, in this order.'
        )
    used = last - start_level + 1
    if num_outs < used:
        raise ValueError(
            f'num_outs is {num_outs}, but {used} maps of the backbone become '
            'outputs: raise num_outs or start_level.'
        )
    if last < num_ins - 1 and num_outs > used:
        raise ValueError(
            f'num_outs is {num_outs}, but extra maps are made from the last map of '
            f'the backbone, and end_level={end_level} leaves it out: set '
            f'num_outs={used} or end_level=-1.'
        )


class ResidualFeatureAugmentation(BaseModule):
    """Context of a map at some fractions of its size.

    For each fraction the map is pooled to a grid of that size (ratio-invariant adaptive
    pooling), reduced by a 1x1 convolution and enlarged again.
    :class:`.AdaptiveSpatialFusion` fuses the results.
    `AugFPN <https://arxiv.org/abs/1912.05384>`_; rounding and ``align_corners`` are
    those of the authors' release.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the context.
        pool_ratios: Fractions of the map's height and width, above 0 and at most 1.
        init_cfg: Initialization config.

    Shape:
        - Input: ``(N, in_channels, H, W)``.
        - Output: ``(N, out_channels, H, W)``.

    Raises:
        ValueError: If there is no ratio, or one is not in 0..1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        pool_ratios: Sequence[float] = (0.1, 0.2, 0.3),
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.pool_ratios = tuple(pool_ratios)
        if not self.pool_ratios or not all(0 < r <= 1 for r in self.pool_ratios):
            raise ValueError(
                'pool_ratios must be fractions of the map, above 0 and at most 1, got '
                f'{self.pool_ratios}.'
            )
        self.reduce = nn.ModuleList(
            nn.Conv2d(in_channels, out_channels, 1) for _ in self.pool_ratios
        )
        self.fusion = AdaptiveSpatialFusion(out_channels, len(self.pool_ratios))

    def pooled_sizes(self, size: Sequence[int]) -> list[tuple[int, int]]:
        """Return the cells ``(height, width)`` of each pooled map of ``size``."""
        return [
            tuple(max(1, int(cells * ratio)) for cells in size)
            for ratio in self.pool_ratios
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Return the context of each cell."""
        size = x.shape[-2:]
        if is_symbolic(size):
            return self.fusion(self._traced_maps(x))
        maps = []
        for conv, pooled_size in zip(self.reduce, self.pooled_sizes(size), strict=True):
            pooled = conv(F.adaptive_avg_pool2d(x, pooled_size))
            maps.append(
                F.interpolate(pooled, size=size, mode='bilinear', align_corners=True)
            )
        return self.fusion(maps)

    def _traced_maps(self, x: Tensor) -> list[Tensor]:
        """Pool, reduce and enlarge where an exported graph learns the size of ``x``.

        ONNX has no adaptive pooling. Pooling and enlarging are one linear map of each
        side here, which may come before a 1x1 convolution.
        """
        maps = []
        for conv, ratio in zip(self.reduce, self.pool_ratios, strict=True):
            rows, columns = (_pooled_and_enlarged(x, dim, ratio) for dim in (-2, -1))
            maps.append(conv(rows @ x @ columns.mT))
        return maps


def _pooled_and_enlarged(x: Tensor, dim: int, ratio: float) -> Tensor:
    """Return the matrix that pools a side of ``x`` to a fraction and enlarges it again.

    Returns:
        ``(cells, cells)``, the cells being those of dimension ``dim``: the share of the
        cells before, in each row, in a cell after it.
    """
    places = torch.arange(x.shape[dim], device=x.device, dtype=torch.float64)
    cells = places.new_full((), x.shape[dim])
    pooled = (cells * ratio).floor().clamp(min=1)
    # The outer cells of both grids lie on each other.
    position = places * (pooled - 1) / (cells - 1).clamp(min=1)
    below = position.floor()
    share = (position - below)[:, None]

    def mean_of(index: Tensor) -> Tensor:
        first = (index * cells / pooled).floor()[:, None]
        last = ((index + 1) * cells / pooled).ceil()[:, None]
        inside = ((places >= first) & (places < last)).double()
        return inside / inside.sum(dim=1, keepdim=True)

    above = (below + 1).minimum(pooled - 1)
    return ((1 - share) * mean_of(below) + share * mean_of(above)).to(x.dtype)
