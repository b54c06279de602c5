"""The Thinned U-shape Module of M2Det, and the sizes of the maps it makes."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F


def scale_sizes(
    size: tuple[int, int], num_scales: int, *, exact_strides: bool = False
) -> list[tuple[int, int]]:
    """Sizes of the maps that a TUM makes of an input map, the largest first.

    Args:
        size: Cells ``(height, width)`` of the TUM's input.
        num_scales: Number of maps.
        exact_strides: Whether the last encoder convolution halves the map like
            the others, instead of cutting off one cell at each border.

    Returns:
        ``num_scales`` pairs ``(height, width)``. If a number is below one, the
        input is too small for that map.
    """
    sizes = [size]
    for step in range(1, num_scales):
        height, width = sizes[-1]
        if step == num_scales - 1 and not exact_strides:
            sizes.append((height - 2, width - 2))
        else:
            sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


class TUM(BaseModule):
    """Thinned U-shape Module: one level of the multi-level pyramid.

    An encoder of ``num_scales - 1`` convolutions shrinks the input; a decoder
    upsamples the smallest map step by step and adds to it a 3x3 lateral
    convolution of each encoder map. `M2Det <https://arxiv.org/abs/1811.04533>`_,
    section 3.2. As in the authors' release, the encoder convolutions have
    stride 2; only the last has stride 1 and no padding (320 pixels give
    maps of 40, 20, 10, 5, 3 and 1 cells).

    Args:
        in_channels: Channels of the input.
        channels: Channels of the encoder.
        out_channels: Channels of the decoder and of every output.
        num_scales: Number of output maps, two or more.
        smooth: Whether a 1x1 convolution smooths all maps except the smallest.
            Without it this is the paper's s-TUM.
        exact_strides: Whether the last encoder convolution also has stride 2 and
            padding 1, so that scale ``i`` has exactly ``2 ** i`` times the input's
            stride.
        use_depthwise: Whether the 3x3 convolutions are depthwise separable: one of each
            channel, then a 1x1 convolution, each with its norm and activation.
        upsample_mode: Mode of :func:`torch.nn.functional.interpolate`.
        norm_cfg: Norm layer config; ``None`` means biased convolutions.
        act_cfg: Activation config; ``None`` means none.
        init_cfg: Initialization config.

    Shape:
        - Input: ``(N, in_channels, H, W)``.
        - Output: ``num_scales`` maps ``(N, out_channels, H_i, W_i)``, the largest
          first; it has the input's grid. Sizes are those of :func:`scale_sizes`.

    Raises:
        ValueError: If ``num_scales`` is below two.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int = 256,
        out_channels: int = 256,
        num_scales: int = 6,
        smooth: bool = True,
        exact_strides: bool = False,
        use_depthwise: bool = False,
        upsample_mode: str = 'nearest',
        norm_cfg: OptConfigType = None,
        act_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if num_scales < 2:
            raise ValueError(
                f'A TUM makes two or more scales, got num_scales={num_scales}.'
            )
        layer = {'norm_cfg': norm_cfg, 'act_cfg': act_cfg}
        conv = DepthwiseSeparableConvModule if use_depthwise else ConvModule
        self.upsample_mode = upsample_mode
        self.encoder = nn.ModuleList()
        self.lateral = nn.ModuleList()
        for step in range(1, num_scales):
            width = in_channels if step == 1 else channels
            cut = step == num_scales - 1 and not exact_strides
            stride, padding = (1, 0) if cut else (2, 1)
            self.encoder.append(conv(width, channels, 3, stride, padding, **layer))
            self.lateral.append(conv(width, out_channels, 3, 1, 1, **layer))
        self.top = ConvModule(channels, out_channels, 1, **layer)
        self.smooth = nn.ModuleList(
            ConvModule(out_channels, out_channels, 1, **layer)
            for _ in range(num_scales - 1 if smooth else 0)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of all scales, the largest first."""
        encoded = [x]
        for conv in self.encoder:
            encoded.append(conv(encoded[-1]))
        maps = self._decode(encoded)
        smoothed = [conv(y) for conv, y in zip(self.smooth, maps, strict=False)]
        return (*smoothed, *maps[len(smoothed) :])

    def _decode(self, encoded: Sequence[Tensor]) -> list[Tensor]:
        """Decode, beginning with the smallest map; return the largest map first."""
        maps = [self.top(encoded[-1])]
        for conv, x in zip(reversed(self.lateral), encoded[-2::-1], strict=True):
            fine = conv(x)
            grid = fine.shape[-2:]
            maps.insert(0, fine + F.interpolate(maps[0], grid, mode=self.upsample_mode))
        return maps
