"""The two feature fusion modules of M2Det: FFMv1 and FFMv2."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..utils.channels import check_channels


class FFMv1(BaseModule):
    """Fuse backbone maps of several depths into the base feature.

    The first, shallow map passes a 3x3 convolution. Every deeper one passes a 1x1
    convolution and is upsampled to the grid of the first. The results are
    concatenated in the order of the inputs. FFMv1 of
    `M2Det <https://arxiv.org/abs/1811.04533>`_, section 3.1, for two inputs.

    Args:
        in_channels: Channels of the input maps, the shallow one first.
        out_channels: Channels that each of them contributes.
        upsample_mode: Mode of :func:`torch.nn.functional.interpolate`.
        norm_cfg: Norm layer config; ``None`` means biased convolutions.
        act_cfg: Activation config; ``None`` means none.
        init_cfg: Initialization config.

    Shape:
        - Input: maps ``(N, in_channels[i], H_i, W_i)``, of any grids.
        - Output: ``(N, sum(out_channels), H_0, W_0)``.

    Raises:
        ValueError: If fewer than two inputs are given, or the two channel
            arguments differ in length; in ``forward``, if the inputs do not have
            ``in_channels``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        out_channels: Sequence[int] = (256, 512),
        upsample_mode: str = 'nearest',
        norm_cfg: OptConfigType = None,
        act_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(in_channels) < 2 or len(in_channels) != len(out_channels):
            raise ValueError(
                'FFMv1 fuses two or more maps and needs one entry of ffm_channels '
                f'for each entry of in_channels, got in_channels={tuple(in_channels)} '
                f'and ffm_channels={tuple(out_channels)}. in_channels follows '
                'backbone.out_indices.'
            )
        self.in_channels = list(in_channels)
        self.upsample_mode = upsample_mode
        self.reduce = nn.ModuleList(
            ConvModule(
                channels,
                reduced,
                3 if index == 0 else 1,
                padding=1 if index == 0 else 0,
                norm_cfg=norm_cfg,
                act_cfg=act_cfg,
            )
            for index, (channels, reduced) in enumerate(
                zip(in_channels, out_channels, strict=True)
            )
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the base feature of the backbone maps ``inputs``."""
        check_channels(inputs, self.in_channels)
        shallow, *deep = [conv(x) for conv, x in zip(self.reduce, inputs, strict=True)]
        grid = shallow.shape[-2:]
        upsampled = [F.interpolate(x, grid, mode=self.upsample_mode) for x in deep]
        return torch.cat([shallow, *upsampled], dim=1)


class FFMv2(BaseModule):
    """Join a thinned base feature with the largest map of the previous TUM.

    A 1x1 convolution thins the base feature (the release calls it *leach*);
    the previous TUM's map is concatenated after it. FFMv2 of
    `M2Det <https://arxiv.org/abs/1811.04533>`_, section 3.1. The first level
    has no previous TUM and sees only the thinned base feature.

    Args:
        base_channels: Channels of the base feature.
        out_channels: Channels that remain of it.
        norm_cfg: Norm layer config; ``None`` means a biased convolution.
        act_cfg: Activation config; ``None`` means none.
        init_cfg: Initialization config.

    Shape:
        - Input: ``(N, base_channels, H, W)`` and, except for the first level,
          ``(N, C, H, W)``.
        - Output: ``(N, out_channels + C, H, W)``; ``C = 0`` for the first level.
    """

    def __init__(
        self,
        base_channels: int,
        out_channels: int,
        *,
        norm_cfg: OptConfigType = None,
        act_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.leach = ConvModule(
            base_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg
        )

    def forward(self, base: Tensor, previous: Tensor | None = None) -> Tensor:
        """Return the input of a TUM from ``base`` and the ``previous`` TUM's map."""
        leached = self.leach(base)
        return leached if previous is None else torch.cat([leached, previous], dim=1)
