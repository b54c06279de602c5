"""The neck of DSSD: SSD's extra layers, then a decoder of deconvolutions."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule, build_activation_layer
from mmdet.models.necks import SSDNeck
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...utils.symbolic import is_symbolic
from ..utils.cropping import cropped
from .mlfpn import NORM, RELU

MERGES = ('product', 'sum')


@MODELS.register_module()
class DSSDNeck(SSDNeck):
    """SSD's feature maps, refined from the coarsest one up.

    :class:`mmdet.models.necks.SSDNeck` makes the maps. The coarsest one stays as it
    is; a deconvolution module joins each other map with the next coarser refined one.
    `DSSD <https://arxiv.org/abs/1701.06659>`_, section 3.2 and figure 3.

    Args:
        in_channels: Channels of the backbone's maps. Each map has half the size of the
            one before.
        out_channels: Channels of all maps before the decoder.
        level_strides: Stride of each extra layer.
        last_kernel_size: Kernel of the last extra layer.
        deconv_channels: Channels of the refined maps.
        merge: ``'product'`` or ``'sum'`` of the two sides of a deconvolution module.
        deconv_norm_cfg: Norm layer config of the decoder. The extra layers use the
            parent's ``norm_cfg``, by default none.
        act_cfg: Activation config.
        **kwargs: Further arguments of ``SSDNeck``.

    Attributes:
        out_channels: Channels of each output map, a list.

    Shape:
        - Input: maps ``(N, in_channels[i], H_i, W_i)``, the largest first.
        - Output: a map ``(N, C, h_i, w_i)`` for each of ``out_channels``, the largest
          first. ``C`` is ``deconv_channels``; the coarsest map keeps its channels.
          Sizes are those of ``SSDNeck``.

    Raises:
        ValueError: If ``merge`` is unknown; in ``forward``, if a deconvolution cannot
            reach the size of the next map.

    Note:
        M2Det's paper refers to DSSD for its deconvolutions without further detail. We
        assume: all maps pass the decoder; a deconvolution with the same kernel and
        stride reverses an extra layer of stride 1 (1 cell to 3, 3 to 5), and DSSD's
        2x2 kernel of stride 2 any other step; the norm is MLFPN's. DSSD's residual
        prediction modules belong to its head and are left out.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int],
        level_strides: Sequence[int],
        *,
        last_kernel_size: int = 3,
        deconv_channels: int = 512,
        merge: str = 'product',
        deconv_norm_cfg: OptConfigType = NORM,
        act_cfg: OptConfigType = RELU,
        **kwargs,  # noqa: ANN003
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            level_strides,
            last_kernel_size=last_kernel_size,
            act_cfg=act_cfg,
            **kwargs,
        )
        strides = [2] * (len(in_channels) - 1) + list(level_strides)
        kernels = [3] * (len(strides) - 1) + [last_kernel_size]
        self.out_channels = [deconv_channels] * len(strides) + [out_channels[-1]]
        self.deconvolutions = nn.ModuleList(
            DeconvolutionModule(
                fine,
                coarse,
                deconv_channels,
                kernel_size=kernel if stride == 1 else stride,
                stride=stride,
                merge=merge,
                norm_cfg=deconv_norm_cfg,
                act_cfg=act_cfg,
            )
            for fine, coarse, kernel, stride in zip(
                out_channels, self.out_channels[1:], kernels, strides, strict=False
            )
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the refined maps, the largest first."""
        *laterals, coarsest = super().forward(inputs)
        maps = [coarsest]
        for module, lateral in zip(
            reversed(self.deconvolutions), reversed(laterals), strict=True
        ):
            maps.insert(0, module(lateral, maps[0]))
        return tuple(maps)


class DeconvolutionModule(BaseModule):
    """Join a map with the next coarser one, enlarged by a learned deconvolution.

    The fine map passes two 3x3 convolutions with an activation between them, the
    coarse map a deconvolution and a 3x3 convolution. Every convolution has batch norm.
    The product or sum of both is activated. Figure 3 of
    `DSSD <https://arxiv.org/abs/1701.06659>`_.

    Args:
        fine_channels: Channels of the fine map.
        coarse_channels: Channels of the coarse map.
        out_channels: Channels of the output.
        kernel_size: Kernel of the deconvolution.
        stride: Stride of the deconvolution.
        merge: ``'product'`` or ``'sum'``.
        norm_cfg: Norm layer config; ``None`` means biased convolutions.
        act_cfg: Activation config.
        init_cfg: Initialization config.

    Shape:
        - Input: ``(N, fine_channels, H, W)`` and ``(N, coarse_channels, h, w)``.
        - Output: ``(N, out_channels, H, W)``.

    Raises:
        ValueError: If ``merge`` is unknown; in ``forward``, if the deconvolution
            cannot reach ``H`` or ``W``. A kernel of 2 with stride 2 reaches ``2 * h``
            and ``2 * h - 1``, a kernel of 3 with stride 1 ``h + 2`` and ``h``.
    """

    def __init__(
        self,
        fine_channels: int,
        coarse_channels: int,
        out_channels: int,
        *,
        kernel_size: int = 2,
        stride: int = 2,
        merge: str = 'product',
        norm_cfg: OptConfigType = None,
        act_cfg: OptConfigType = RELU,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if merge not in MERGES:
            raise ValueError(f'merge must be one of {MERGES}, got {merge!r}.')
        self.merge = merge
        layer = {'kernel_size': 3, 'padding': 1, 'norm_cfg': norm_cfg}
        self.deconv = nn.ConvTranspose2d(
            coarse_channels, out_channels, kernel_size, stride
        )
        self.refine = ConvModule(out_channels, out_channels, act_cfg=None, **layer)
        self.lateral = nn.Sequential(
            ConvModule(fine_channels, out_channels, act_cfg=act_cfg, **layer),
            ConvModule(out_channels, out_channels, act_cfg=None, **layer),
        )
        self.activate = build_activation_layer(act_cfg)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return the fine map, refined by the coarse one."""
        lateral = self.lateral(fine)
        context = self.refine(self._enlarge(coarse, fine.shape[-2:]))
        merged = lateral * context if self.merge == 'product' else lateral + context
        return self.activate(merged)

    def _enlarge(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Deconvolve ``x`` to a map of ``size`` cells."""
        kernel, stride = self.deconv.kernel_size[0], self.deconv.stride[0]
        cells = x.shape[-2:]
        # Cells that the unpadded deconvolution makes beyond ``size``.
        excess = [
            (n - 1) * stride + kernel - target
            for n, target in zip(cells, size, strict=True)
        ]
        padding = [(n + 1) // 2 for n in excess]
        output_padding = [n % 2 for n in excess]
        if any(not 0 <= n < kernel or n % 2 >= stride for n in excess):
            raise ValueError(
                f'A deconvolution of kernel {kernel} and stride {stride} cannot turn '
                f'a map of {cells[0]}x{cells[1]} cells into one of '
                f'{size[0]}x{size[1]}: make level_strides and level_paddings of the '
                'neck, or the input size, fit.'
            )
        if is_symbolic(size):
            # The padding of an operator of ONNX is fixed.
            return cropped(self.deconv(x), size, padding)
        return F.conv_transpose2d(
            x, self.deconv.weight, self.deconv.bias, stride, padding, output_padding
        )
