"""MLFPN, the Multi-Level Feature Pyramid Network of M2Det."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...utils.config_checks import check_counts
from ...utils.errors import M2DetError
from ..layers.statistics import check_statistics
from ..utils.channels import check_channels
from ..utils.defaults import FrozenConfig
from .ffm import FFMv1, FFMv2
from .sfam import SFAM
from .tum import TUM, scale_sizes

# Of the authors' release.
NORM = FrozenConfig(type='BN', momentum=0.01)
RELU = FrozenConfig(type='ReLU')


class InputSizeError(M2DetError, ValueError):
    """An image is too small for the scales of a neck."""


@MODELS.register_module()
class MLFPN(BaseModule):
    """Multi-Level Feature Pyramid Network.

    FFMv1 fuses the backbone's maps into a base feature. Each level is a TUM; FFMv2
    gives it the thinned base feature and the largest map of the level before. SFAM
    gathers equal scales of all levels and weighs their channels.
    `M2Det <https://arxiv.org/abs/1811.04533>`_, section 3. The defaults are the
    paper's; ``share_leach=True, extra_norm=True, sfam=False`` is the network
    that the authors released.

    Args:
        in_channels: Channels of the backbone's maps, the shallow one first;
            two or more. Deeper maps are upsampled to the first one's grid.
        ffm_channels: Channels of each of them in the base feature.
        num_levels: Number of TUMs.
        num_scales: Number of scales of each TUM, two or more.
        tum_channels: Channels inside a TUM.
        thin_channels: Channels to which the base feature is thinned for each TUM;
            ``None``: half of ``tum_channels``.
        tum_out_channels: Channels of a TUM's outputs; ``None``: ``tum_channels``.
        smooth: Whether 1x1 convolutions smooth a TUM's outputs.
        reuse_base: Whether every TUM sees the base feature, or only the first.
        use_depthwise: Whether the 3x3 convolutions of the TUMs are depthwise separable.
        residual: Whether a TUM gets the sum of the largest maps of all earlier levels,
            instead of that of the last one. The pyramid gets each level's own maps.
            A gradient then passes one TUM on its way to any earlier level.
        sfam: How SFAM weighs the channels: ``True`` or ``'se'`` by
            squeeze-and-excitation, ``'eca'`` by :class:`.ECALayer`, ``False`` or
            ``'none'`` not at all.
        sfam_reduction: Divisor of the channels inside squeeze-and-excitation.
        share_leach: Whether one convolution thins the base feature for all
            levels, as in the release.
        share_sfam: Whether all scales share SFAM's attention, as in the release.
        extra_norm: Whether a batch norm follows SFAM on the largest scale, as
            in the release. Its momentum is 0.1, whatever ``norm_cfg`` says.
        upsample_mode: Mode of :func:`torch.nn.functional.interpolate`.
        norm_cfg: Norm layer config; the default is the release's.
        act_cfg: Activation config.
        with_cp: Whether to recompute each TUM in the backward pass, which saves
            memory. Batch norm then updates its statistics twice an iteration.
        exact_strides: Whether scale ``i`` has exactly ``2 ** i`` times the stride
            of the shallow map at any padded size, as the heads of FPN detectors
            expect.
        out_channels: Channels to which a 1x1 convolution projects every scale;
            ``None`` keeps ``num_levels`` times a TUM's output channels.
        init_cfg: Initialization config. By default convolutions keep
            ``ConvModule``'s Kaiming normal initialization (fan out).

    Attributes:
        out_channels: Channels of each output map, a list.
        level_channels: Channels of each map of one level.

    Shape:
        - Input: maps ``(N, in_channels[i], H_i, W_i)``, the shallow one first.
        - Output: ``num_scales`` maps ``(N, out_channels[i], h_i, w_i)``, the
          largest first; it has the grid of the shallow input.

    Raises:
        ValueError: If arguments contradict each other; in ``forward``, if the
            maps do not have ``in_channels``, the input is too small for
            ``num_scales``, or one image has to train batch norm on a map of one
            cell.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        ffm_channels: Sequence[int] = (256, 512),
        num_levels: int = 8,
        num_scales: int = 6,
        tum_channels: int = 256,
        thin_channels: int | None = None,
        tum_out_channels: int | None = None,
        smooth: bool = True,
        reuse_base: bool = True,
        use_depthwise: bool = False,
        residual: bool = False,
        sfam: bool | str = True,
        sfam_reduction: int = 16,
        share_leach: bool = False,
        share_sfam: bool = False,
        extra_norm: bool = False,
        upsample_mode: str = 'nearest',
        norm_cfg: OptConfigType = NORM,
        act_cfg: OptConfigType = RELU,
        with_cp: bool = False,
        exact_strides: bool = False,
        out_channels: int | None = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_counts(1, num_levels=num_levels)
        check_counts(2, num_scales=num_scales, tum_channels=tum_channels)
        if thin_channels is None:
            thin_channels = tum_channels // 2
        self.level_channels = tum_channels
        if tum_out_channels is not None:
            self.level_channels = tum_out_channels
        check_counts(
            1, thin_channels=thin_channels, tum_out_channels=self.level_channels
        )
        if out_channels is not None:
            check_counts(1, out_channels=out_channels)
        self.num_scales = num_scales
        self.exact_strides = exact_strides
        self.reuse_base = reuse_base
        self.use_depthwise = use_depthwise
        self.residual = residual
        self.with_cp = with_cp
        layer = {'norm_cfg': norm_cfg, 'act_cfg': act_cfg}

        self.base_fusion = FFMv1(
            in_channels,
            out_channels=ffm_channels,
            upsample_mode=upsample_mode,
            **layer,
        )
        base_channels = sum(ffm_channels)
        num_fusions = num_levels if reuse_base and not share_leach else 1
        self.level_fusions = nn.ModuleList(
            FFMv2(base_channels, thin_channels, **layer) for _ in range(num_fusions)
        )
        # The one convolution of all fusions, after merge_leaches.
        self.leach: ConvModule | None = None

        # The first TUM gets only the base feature. A later one gets the level before,
        # and the base feature if it is reused.
        later_channels = self.level_channels + (thin_channels if reuse_base else 0)
        self.tums = nn.ModuleList(
            TUM(
                later_channels if level else thin_channels,
                channels=tum_channels,
                out_channels=self.level_channels,
                num_scales=num_scales,
                smooth=smooth,
                exact_strides=exact_strides,
                use_depthwise=use_depthwise,
                upsample_mode=upsample_mode,
                **layer,
            )
            for level in range(num_levels)
        )

        pyramid_channels = num_levels * self.level_channels
        self.aggregation = SFAM(
            pyramid_channels,
            num_scales=num_scales,
            attention=sfam,
            reduction=sfam_reduction,
            shared=share_sfam,
        )
        self.norm = nn.BatchNorm2d(pyramid_channels) if extra_norm else nn.Identity()
        self.projections = nn.ModuleList(
            ConvModule(
                pyramid_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None
            )
            for _ in range(num_scales if out_channels else 0)
        )
        self.out_channels = [out_channels or pyramid_channels] * num_scales

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the pyramid's maps, the largest first."""
        return self.forward_with_levels(inputs)[0]

    def forward_with_levels(
        self, inputs: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], list[tuple[Tensor, ...]]]:
        """Return the pyramid's maps, and those of each level before SFAM.

        A level has ``num_scales`` maps ``(N, level_channels, h_i, w_i)``, the largest
        first. Only training needs them.
        """
        # Before the size: a missing map says more than one that is too small.
        check_channels(inputs, self.base_fusion.in_channels)
        *_, smallest = self._scale_sizes(tuple(inputs[0].shape[-2:]))
        if self.training:
            check_statistics(self.tums[0].top, len(inputs[0]), smallest)

        base = self.base_fusion(inputs)
        num_fusions = len(self.level_fusions)
        if self.leach is None:
            bases = [base] * num_fusions
        else:
            bases = self.leach(base).chunk(num_fusions, dim=1)
        levels: list[tuple[Tensor, ...]] = []
        # What the levels so far hand on to the next one.
        passed: Tensor | None = None
        for tum in self.tums:
            x = passed
            if x is None or self.reuse_base:
                # A single fusion serves all levels.
                index = min(len(levels), num_fusions - 1)
                x = self.level_fusions[index](bases[index], x)
            if self.with_cp and x.requires_grad:
                levels.append(checkpoint(tum, x, use_reentrant=False))
            else:
                levels.append(tum(x))
            largest = levels[-1][0]
            adds = self.residual and passed is not None
            passed = passed + largest if adds else largest

        return self.project(self.aggregation(levels)), levels

    def project(self, gathered: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the pyramid's maps of what SFAM gives: its norm and projections."""
        largest, *rest = gathered
        maps = [self.norm(largest), *rest]
        if self.projections:
            maps = [conv(x) for conv, x in zip(self.projections, maps, strict=True)]
        return tuple(maps)

    def merge_leaches(self) -> None:
        """Thin the base feature for all levels by one convolution, for inference.

        A convolution that several levels share is then computed once. Nothing changes
        if a norm that is not folded, or an activation with weights, follows it.
        """
        if self.leach is not None:
            return
        leaches = [fusion.leach for fusion in self.level_fusions]
        if not all(_is_bare(leach) for leach in leaches):
            return
        merged = deepcopy(leaches[0])
        merged.conv.out_channels *= len(leaches)
        for name in ('weight', 'bias'):
            parts = [getattr(leach.conv, name) for leach in leaches]
            joined = nn.Parameter(torch.cat(parts).detach(), requires_grad=False)
            setattr(merged.conv, name, joined)
        self.leach = merged
        for fusion in self.level_fusions:
            fusion.leach = nn.Identity().eval()

    def strides(
        self, input_size: tuple[int, int], *, base_stride: int = 8
    ) -> list[tuple[float, float]]:
        """Strides of the scales for an input image.

        Args:
            input_size: Pixels ``(height, width)`` of the network's input.
            base_stride: Stride of the shallow backbone map, in pixels.

        Returns:
            ``(vertical, horizontal)`` pixels for each cell of each scale: input
            pixels divided by cells; with ``exact_strides`` powers of two times
            ``base_stride``.

        Raises:
            InputSizeError: If the input is too small for ``num_scales``.
        """
        if self.exact_strides:
            return [(base_stride * 2.0**i,) * 2 for i in range(self.num_scales)]
        height, width = input_size
        grid = (-(-height // base_stride), -(-width // base_stride))
        return [(height / h, width / w) for h, w in self._scale_sizes(grid)]

    def _scale_sizes(self, grid: tuple[int, int]) -> list[tuple[int, int]]:
        """Cells of each scale for a shallow map of ``grid`` cells.

        Raises:
            InputSizeError: If a scale would have no cells.
        """

        def sizes(num_scales: int) -> list[tuple[int, int]]:
            return scale_sizes(grid, num_scales, exact_strides=self.exact_strides)

        found = sizes(self.num_scales)
        lost = [scale for scale, size in enumerate(found) if min(size) < 1]
        if not lost:
            return found
        fits = [n for n in range(2, self.num_scales) if min(sizes(n)[-1]) >= 1]
        advice = (
            f'the largest num_scales that fits is {fits[-1]}'
            if fits
            else 'no num_scales fits'
        )
        raise InputSizeError(
            f'A shallow map of {grid[0]}x{grid[1]} cells is too small for '
            f'num_scales={self.num_scales}: scale {lost[0]} would vanish; {advice}. '
            'Use a larger input, fewer scales or exact_strides=True.'
        )


def _is_bare(layer: ConvModule) -> bool:
    """Whether a layer is a convolution with, at most, an activation without weights."""
    has_norm = layer.with_norm and not isinstance(layer.norm, nn.Identity)
    learns = layer.with_activation and any(True for _ in layer.activate.parameters())
    return not (has_norm or learns)
