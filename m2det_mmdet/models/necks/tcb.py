"""The neck of RefineDet: a chain of transfer connection blocks."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule, build_norm_layer
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..utils.channels import check_channels
from ..utils.cropping import cropped
from ..utils.defaults import FrozenConfig

XAVIER = FrozenConfig(
    type='Xavier', layer=['Conv2d', 'ConvTranspose2d'], distribution='uniform', bias=0
)


@MODELS.register_module()
class TCB(BaseModule):
    """Transfer connection blocks from the coarsest map up.

    Each map passes a :class:`TransferConnectionBlock`, which adds the enlarged output
    of the coarser block. Section 3 of
    `RefineDet <https://arxiv.org/abs/1711.06897>`_, where the blocks turn the maps of
    anchor refinement into maps of object detection. Any detector can use this neck.

    Args:
        in_channels: Channels of the backbone's maps.
        out_channels: Channels of all outputs.
        norm_cfg: Norm layer config; ``None`` means biased convolutions, as with the
            authors' VGG-16. Their ResNet-101 has batch norm.
        init_cfg: Initialization config, by default Xavier's as in the authors' code.

    Attributes:
        out_channels: Channels of each output map, a list.

    Shape:
        - Input: maps ``(N, in_channels[i], H_i, W_i)``, the largest first. Each has
          half the cells of the one before, rounded up.
        - Output: a map ``(N, out_channels, H_i, W_i)`` for each of them.

    Raises:
        ValueError: If there are fewer than two maps; in ``forward``, if the maps do
            not have ``in_channels``, or one does not have half the cells of the one
            before.

    Note:
        The paper's figure shows a deconvolution of 4x4; the authors' code uses 2x2 with
        stride 2, as here. If a side of the finer map is odd, the last row or column of
        the enlarged map is cut off.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        out_channels: int = 256,
        norm_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = XAVIER,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(in_channels) < 2:
            raise ValueError(
                'TCB joins two or more maps, got '
                f'in_channels={tuple(in_channels)}: add to backbone.out_indices.'
            )
        self.in_channels = list(in_channels)
        self.out_channels = [out_channels] * len(in_channels)
        coarsest = len(in_channels) - 1
        self.blocks = nn.ModuleList(
            TransferConnectionBlock(
                channels, out_channels, coarsest=i == coarsest, norm_cfg=norm_cfg
            )
            for i, channels in enumerate(in_channels)
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the connected maps, the largest first."""
        check_channels(inputs, self.in_channels)
        maps: list[Tensor] = []
        for block, x in zip(reversed(self.blocks), reversed(inputs), strict=True):
            maps.insert(0, block(x, maps[0] if maps else None))
        return tuple(maps)


class TransferConnectionBlock(nn.Module):
    """Transform a map and add the coarser output to it.

    Two 3x3 convolutions with a ReLU between them; the deconvolution of the coarser
    output is added; ReLU; a third 3x3 convolution; ReLU. Figure 2 of
    `RefineDet <https://arxiv.org/abs/1711.06897>`_.

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of the output and of the coarser output.
        coarsest: Whether this is the block of the coarsest map.
        norm_cfg: Norm layer config; ``None`` means biased convolutions.

    Shape:
        - Input: ``(N, in_channels, H, W)`` and, unless ``coarsest``,
          ``(N, out_channels, ceil(H / 2), ceil(W / 2))``.
        - Output: ``(N, out_channels, H, W)``.

    Raises:
        ValueError: In ``forward``, if the coarser output has other sizes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        coarsest: bool = False,
        norm_cfg: OptConfigType = None,
    ) -> None:
        super().__init__()
        layer = {'kernel_size': 3, 'padding': 1, 'norm_cfg': norm_cfg}
        self.lateral = nn.Sequential(
            ConvModule(in_channels, out_channels, **layer),
            ConvModule(out_channels, out_channels, act_cfg=None, **layer),
        )
        if not coarsest:
            self.deconv = nn.ConvTranspose2d(
                out_channels, out_channels, 2, stride=2, bias=norm_cfg is None
            )
            self.norm = (
                build_norm_layer(norm_cfg, out_channels)[1]
                if norm_cfg
                else nn.Identity()
            )
        self.output = ConvModule(out_channels, out_channels, **layer)

    def forward(self, x: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Return the output for a map, given the output of the coarser one."""
        merged = self.lateral(x)
        if coarse is not None:
            merged = merged + self._enlarge(coarse, x.shape[-2:])
        return self.output(F.relu(merged))

    def _enlarge(self, coarse: Tensor, size: Sequence[int]) -> Tensor:
        """Deconvolve ``coarse`` to a map of ``size`` cells."""
        height, width = size
        halves = [(height + 1) // 2, (width + 1) // 2]
        if list(coarse.shape[-2:]) != halves:
            raise ValueError(
                f'After a map of {height}x{width} cells TCB needs one of '
                f'{halves[0]}x{halves[1]}, got {coarse.shape[-2]}x{coarse.shape[-1]}: '
                'choose maps of the backbone with strides that double, or another '
                'input size.'
            )
        return cropped(self.norm(self.deconv(coarse)), size)
