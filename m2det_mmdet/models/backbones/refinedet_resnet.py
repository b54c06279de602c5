"""RefineDet's ResNet: residual blocks after the last stage."""

from collections.abc import Sequence

from mmdet.models.backbones import ResNet
from mmdet.models.layers import ResLayer
from mmdet.registry import MODELS
from mmengine.model import ModuleList
from torch import Tensor


@MODELS.register_module()
class RefineDetResNet(ResNet):
    """ResNet with further residual blocks of stride 2; each one gives a map.

    :class:`mmdet.models.backbones.ResNet`; its weights and checkpoints fit. With
    ResNet-101's maps of res3, res4 and res5 and one more block, res6, it is the
    backbone of `RefineDet <https://arxiv.org/abs/1711.06897>`_, section 4.2. As in the
    authors' code the block is a bottleneck of 128 channels with 512 outputs, and no
    map has an L2 norm.

    Args:
        depth: Depth of the ResNet.
        extra_channels: Output channels of each further block.
        out_indices: Stages that give a map; the last stage must be among them.
        **kwargs: Further arguments of ``ResNet``.

    Attributes:
        out_channels: Channels of each map.

    Shape:
        - Input: ``(N, 3, H, W)``.
        - Output: a map for each of ``out_indices``, then one for each of
          ``extra_channels`` with half the cells of the one before, rounded up.

    Raises:
        ValueError: If the last stage is not among ``out_indices``, or the type of block
            cannot make ``extra_channels``.
    """

    def __init__(
        self,
        depth: int,
        *,
        extra_channels: Sequence[int] = (512,),
        out_indices: Sequence[int] = (1, 2, 3),
        **kwargs,  # noqa: ANN003
    ) -> None:
        super().__init__(depth, out_indices=out_indices, **kwargs)
        if max(out_indices) != self.num_stages - 1:
            raise ValueError(
                f'The further blocks follow the last stage, {self.num_stages - 1}: '
                f'add it to out_indices={tuple(out_indices)}.'
            )
        expansion = self.block.expansion
        if any(channels % expansion for channels in extra_channels):
            raise ValueError(
                f'extra_channels of ResNet-{depth} must be multiples of {expansion}, '
                f'got {tuple(extra_channels)}.'
            )
        kind = {'style': self.style} if expansion > 1 else {}
        inputs = [self.feat_dim, *extra_channels[:-1]]
        # mmengine's ModuleList calls init_weights of its modules; PyTorch's does not.
        self.extra = ModuleList(
            ResLayer(
                self.block,
                before,
                channels // expansion,
                num_blocks=1,
                stride=2,
                norm_cfg=self.norm_cfg,
                init_cfg=[
                    {'type': 'Kaiming', 'layer': 'Conv2d'},
                    {'type': 'Constant', 'layer': 'BatchNorm2d', 'val': 1},
                ],
                **kind,
            )
            for before, channels in zip(inputs, extra_channels, strict=True)
        )
        stages = [self.feat_dim // 2 ** (max(out_indices) - i) for i in out_indices]
        self.out_channels = (*stages, *extra_channels)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of images ``(N, 3, H, W)``, the largest first."""
        maps = list(super().forward(x))
        for block in self.extra:
            maps.append(block(maps[-1]))
        return tuple(maps)
