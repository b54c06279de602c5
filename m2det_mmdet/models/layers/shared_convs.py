"""Convolutions that all scales of a pyramid share."""

from collections.abc import Sequence

from mmcv.cnn import build_activation_layer, build_conv_layer, build_norm_layer
from torch import Tensor, nn


class SharedConvs(nn.Module):
    """Pass the map of each scale through the same 3x3 convolutions.

    A norm follows each convolution. It is each scale's own, since their statistics
    differ (`RTMDet <https://arxiv.org/abs/2212.07784>`_, section 3.2, shares its head's
    convolutions in the same way). Then follows the activation.

    Args:
        in_channels: Channels of each scale's map.
        out_channels: Channels of all maps after each convolution.
        num_convs: Number of convolutions, at least one.
        depthwise: Whether a convolution is a depthwise 3x3 and a pointwise 1x1, each
            with its norm and activation.
        conv_cfg: Config of the convolutions.
        norm_cfg: Config of the norms; ``None``: convolutions with a bias, no norms.
        act_cfg: Config of the activation; ``None``: ReLU.

    Raises:
        ValueError: If the maps have different channels.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_convs: int,
        *,
        depthwise: bool = False,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        if len(set(in_channels)) > 1:
            raise ValueError(
                'Convolutions that all scales share need maps of equal channels, got '
                f'{list(in_channels)}: set num_shared_convs=0, or use a neck that '
                'makes maps of equal channels.'
            )
        self.convs = nn.ModuleList()
        channels = in_channels[0]
        for _ in range(num_convs):
            kinds = [(out_channels, {'kernel_size': 3, 'padding': 1})]
            if depthwise:
                spatial = {'kernel_size': 3, 'padding': 1, 'groups': channels}
                kinds = [(channels, spatial), (out_channels, {'kernel_size': 1})]
            for width, settings in kinds:
                settings['bias'] = norm_cfg is None
                conv = build_conv_layer(conv_cfg, channels, width, **settings)
                self.convs.append(conv)
                channels = width
        self.norms = nn.ModuleList(
            nn.ModuleList(
                nn.Identity()
                if norm_cfg is None
                else build_norm_layer(norm_cfg, conv.out_channels)[1]
                for conv in self.convs
            )
            for _ in in_channels
        )
        self.activation = build_activation_layer(act_cfg or {'type': 'ReLU'})

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return maps ``(N, out_channels, H_i, W_i)`` of ``(N, in_channels, ...)``."""
        outputs = []
        for x, norms in zip(maps, self.norms, strict=True):
            for conv, norm in zip(self.convs, norms, strict=True):
                x = self.activation(norm(conv(x)))
            outputs.append(x)
        return outputs
