"""RefineDet's VGG-16: four maps, the last from an extra layer."""

from collections.abc import Sequence

from mmdet.models.backbones import SSDVGG
from mmdet.models.necks.ssd_neck import L2Norm
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import Sequential
from torch import Tensor, nn

# Positions in `features`, where SSD's VGG-16 has them too.
_POOL5, _CONV6 = 30, 31
_TAPS = (22, 29, 34)


@MODELS.register_module()
class RefineDetVGG(SSDVGG):
    """VGG-16 with reduced fully connected layers, an extra layer, and four maps.

    :class:`mmdet.models.backbones.SSDVGG` with two changes: pool5 has 2x2 cells and
    stride 2, and conv6 a dilation of 3. The weights and pre-trained checkpoints of
    ``SSDVGG`` fit. The maps are those of conv4_3, conv5_3, conv7 and of an extra layer,
    convolutions of 1x1 and of 3x3 with stride 2. The first two maps pass an L2 norm
    over the channels with a learned scale for each channel.
    `RefineDet <https://arxiv.org/abs/1711.06897>`_, sections 3 and 4; the numbers are
    those of its code.

    Args:
        l2_norm_scales: Initial scales of the L2 norms of conv4_3 and conv5_3.
        init_cfg: Initialization config, by default ``SSDVGG``'s. The extra layer always
            has Xavier's.

    Attributes:
        out_channels: Channels of each map: 512, 512, 1024 and 512.

    Shape:
        - Input: ``(N, 3, H, W)``.
        - Output: four maps of strides 8, 16, 32 and 64, sizes rounded up.

    Note:
        All poolings round up, so that every map has half the cells of the one before,
        rounded up. Some of the authors' poolings round down. The maps are the same if
        ``H`` and ``W`` are multiples of 32.
    """

    out_channels = (512, 512, 1024, 512)

    def __init__(
        self,
        *,
        l2_norm_scales: Sequence[float] = (10.0, 8.0),
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(
            depth=16,
            with_last_pool=False,
            ceil_mode=True,
            out_feature_indices=_TAPS,
            init_cfg=init_cfg,
        )
        self.features[_POOL5] = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.features[_CONV6] = nn.Conv2d(512, 1024, 3, padding=3, dilation=3)
        self.l2_norms = nn.ModuleList(
            L2Norm(512, scale=scale) for scale in l2_norm_scales
        )
        if len(self.l2_norms) != 2:
            raise ValueError(
                'l2_norm_scales needs two numbers, for conv4_3 and conv5_3, got '
                f'{tuple(l2_norm_scales)}.'
            )
        for norm in self.l2_norms:
            nn.init.constant_(norm.weight, norm.scale)
        self.extra = Sequential(
            nn.Conv2d(1024, 256, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 512, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            init_cfg={
                'type': 'Xavier',
                'layer': 'Conv2d',
                'distribution': 'uniform',
                'bias': 0,
            },
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the four maps of images ``(N, 3, H, W)``, the largest first."""
        *shallow, deep = super().forward(x)
        normed = (norm(x) for norm, x in zip(self.l2_norms, shallow, strict=True))
        return (*normed, deep, self.extra(deep))
