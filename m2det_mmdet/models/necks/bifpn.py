"""BiFPN, the weighted bidirectional feature pyramid of EfficientDet."""

import warnings
from collections.abc import Sequence
from itertools import pairwise

import torch
from mmcv.cnn import ConvModule, build_activation_layer
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers.statistics import check_statistics
from ..utils.channels import check_channels
from ..utils.defaults import FrozenConfig

# Of EfficientDet's release.
NORM = FrozenConfig(type='BN', eps=1e-3, momentum=0.01)
SILU = FrozenConfig(type='SiLU')
FUSIONS = ('fast', 'softmax', 'sum')


@MODELS.register_module()
class BiFPN(BaseModule):
    """Weighted bidirectional feature pyramid network.

    Repeated cells, each with a top-down and a bottom-up pass. A node adds its inputs
    with learned weights.
    `EfficientDet <https://arxiv.org/abs/1911.09070>`_, section 3; the defaults are
    D0's. As in its release, each node of the first cell has its own projection of a
    backbone map (the paper's figure shows one for both nodes). The coarser levels are
    max-pooled from one more projection of the last map.

    Args:
        in_channels: Channels of the backbone's maps, the largest first. Each map has
            half the size of the one before.
        out_channels: Channels of all maps of the pyramid.
        num_outs: Number of output maps, at least two and at least as many as inputs.
        num_stages: Number of cells, one or more.
        fusion: ``'fast'``: negative weights become zero, and all are divided by their
            sum; ``'softmax'``; or ``'sum'``: inputs are added without weights.
        epsilon: Added to the divisor of ``'fast'``.
        act_first: Whether a node activates the fused map before its convolutions, as
            in the paper, or the normalised output after them.
        zero_padding: Whether a border of zeros takes part in max pooling. By default
            it does not, as in TensorFlow, where the released weights were trained.
            Some ports to PyTorch pad zeros first; these replace negative values.
        norm_cfg: Norm layer config; the default is the release's.
        act_cfg: Activation config.
        init_cfg: Initialization config. By default 1x1 convolutions keep
            ``ConvModule``'s Kaiming normal initialization (fan out), depthwise ones
            that of PyTorch.

    Attributes:
        out_channels: Channels of every output map.
        num_outs: Number of output maps.

    Shape:
        - Input: maps ``(N, in_channels[i], H_i, W_i)``, the largest first.
        - Output: ``num_outs`` maps ``(N, out_channels, h_i, w_i)``. The first have the
          sizes of the inputs; each further one has ``ceil(h / 2)`` by ``ceil(w / 2)``
          cells of the one before.

    Raises:
        ValueError: If arguments contradict each other; in ``forward``, if the maps do
            not have ``in_channels``, do not halve from one to the next, or are too
            small for ``num_outs``, or if one image has to train batch norm on a map
            of one cell.

    Note:
        Maps may have any size: they are enlarged (nearest) to the size of the finer
        map and pooled to that of the coarser one. If both sides of the image are
        multiples of the coarsest stride, this is doubling and halving.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        out_channels: int = 64,
        num_outs: int = 5,
        num_stages: int = 3,
        fusion: str = 'fast',
        epsilon: float = 1e-4,
        act_first: bool = True,
        zero_padding: bool = False,
        norm_cfg: OptConfigType = NORM,
        act_cfg: OptConfigType = SILU,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = list(in_channels)
        self.out_channels = out_channels
        self.num_outs = num_outs
        self.zero_padding = zero_padding
        self._check_arguments(num_stages)

        def project(channels: int) -> ConvModule:
            return _conv1x1(channels, out_channels, norm_cfg)

        self.laterals = nn.ModuleList(project(n) for n in self.in_channels)
        # The largest map has no node in the bottom-up pass.
        self.bottom_up_laterals = nn.ModuleList(
            project(n) for n in self.in_channels[1:]
        )
        self.extra = None
        if num_outs > len(self.in_channels):
            self.extra = project(self.in_channels[-1])
        self.cells = nn.ModuleList(
            BiFPNCell(
                out_channels,
                num_outs,
                zero_padding=zero_padding,
                fusion=fusion,
                epsilon=epsilon,
                act_first=act_first,
                norm_cfg=norm_cfg,
                act_cfg=act_cfg,
            )
            for _ in range(num_stages)
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the maps of the last cell, the largest first."""
        sizes = self._sizes(inputs)
        if self.training:
            check_statistics(self.cells[-1].bottom_up[-1], len(inputs[0]), sizes[-1])
        maps = [conv(x) for conv, x in zip(self.laterals, inputs, strict=True)]
        again = [
            conv(x) for conv, x in zip(self.bottom_up_laterals, inputs[1:], strict=True)
        ]
        coarser = []
        for size in sizes[len(inputs) :]:
            x = coarser[-1] if coarser else self.extra(inputs[-1])
            coarser.append(_max_pool(x, size, self.zero_padding))
        top_down, bottom_up = maps + coarser, again + coarser
        for cell in self.cells:
            maps = cell(top_down, bottom_up)
            top_down, bottom_up = maps, maps[1:]
        return tuple(maps)

    def _check_arguments(self, num_stages: int) -> None:
        num_inputs = len(self.in_channels)
        if num_inputs < 1 or self.num_outs < max(2, num_inputs):
            raise ValueError(
                'BiFPN makes two or more maps, and at least one for each input, got '
                f'num_outs={self.num_outs} for {num_inputs} inputs (in_channels='
                f'{self.in_channels}): raise num_outs, or change out_indices of the '
                'backbone and in_channels of the neck.'
            )
        if num_stages < 1:
            raise ValueError(f'BiFPN needs num_stages >= 1, got {num_stages}.')

    def _sizes(self, inputs: Sequence[Tensor]) -> list[tuple[int, int]]:
        """Cells ``(height, width)`` of each level.

        Raises:
            ValueError: If the inputs do not fit.
        """
        check_channels(inputs, self.in_channels)
        sizes = [tuple(x.shape[-2:]) for x in inputs]
        for fine, coarse in pairwise(sizes):
            # Written so that an exported graph of any size learns nothing from it.
            if any(
                abs(2 * n - cells) > 1 for n, cells in zip(coarse, fine, strict=True)
            ):
                raise ValueError(
                    'Each map that BiFPN takes must have half the cells of the one '
                    f'before, got {_cells(fine)} and then {_cells(coarse)}: make the '
                    "strides of the backbone's out_indices double from one to the next."
                )
        while len(sizes) < self.num_outs:
            height, width = sizes[-1]
            if height * width == 1:
                raise ValueError(
                    f'A largest map of {_cells(sizes[0])} cells is too small for '
                    f'num_outs={self.num_outs}: after map {len(sizes) - 1} of one cell '
                    'nothing is left to halve. Use a larger input or num_outs='
                    f'{len(sizes)}.'
                )
            sizes.append(((height + 1) // 2, (width + 1) // 2))
        return sizes


class BiFPNCell(BaseModule):
    """One top-down and one bottom-up pass over the pyramid.

    Figure 2 (d) of `EfficientDet <https://arxiv.org/abs/1911.09070>`_. The coarsest
    level has no node in the first pass, the largest none in the second.

    Args:
        channels: Channels of all maps.
        num_levels: Number of maps, two or more.
        zero_padding: Whether a border of zeros takes part in max pooling.
        **node: Further arguments of :class:`FusionNode`.

    Shape:
        - Input: ``num_levels`` maps ``(N, channels, H_i, W_i)`` for the top-down pass,
          the largest first, and for the bottom-up pass the same sizes without the
          largest.
        - Output: ``num_levels`` maps of the same sizes.
    """

    def __init__(
        self,
        channels: int,
        num_levels: int,
        *,
        zero_padding: bool = False,
        **node,  # noqa: ANN003
    ) -> None:
        super().__init__()
        self.zero_padding = zero_padding
        # In the order of use: from coarse to fine, then from fine to coarse.
        self.top_down = nn.ModuleList(
            FusionNode(channels, 2, **node) for _ in range(num_levels - 1)
        )
        self.bottom_up = nn.ModuleList(
            FusionNode(channels, num_inputs, **node)
            for num_inputs in [3] * (num_levels - 2) + [2]
        )

    def forward(
        self, top_down: Sequence[Tensor], bottom_up: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the maps after both passes, the largest first."""
        middle = [top_down[-1]]
        for node, x in zip(self.top_down, top_down[-2::-1], strict=True):
            coarse = F.interpolate(middle[0], x.shape[-2:], mode='nearest')
            middle.insert(0, node(x, coarse))
        maps = [middle[0]]
        # The coarsest level has no map from the first pass.
        extras = [[x] for x in middle[1:-1]] + [[]]
        for node, x, extra in zip(self.bottom_up, bottom_up, extras, strict=True):
            fine = _max_pool(maps[-1], x.shape[-2:], self.zero_padding)
            maps.append(node(x, *extra, fine))
        return maps


class FusionNode(BaseModule):
    """Add weighted maps, then convolve.

    The convolution is depthwise separable: 3x3 depthwise, 1x1 with bias, norm. The
    activation comes before or after it. Section 3.3 of
    `EfficientDet <https://arxiv.org/abs/1911.09070>`_.

    Args:
        channels: Channels of all maps.
        num_inputs: Number of maps to fuse.
        fusion: ``'fast'``, ``'softmax'`` or ``'sum'``.
        epsilon: Added to the divisor of ``'fast'``.
        act_first: Whether the activation comes before the convolutions.
        norm_cfg: Norm layer config; ``None`` means none.
        act_cfg: Activation config; ``None`` means none.

    Shape:
        - Input: ``num_inputs`` maps ``(N, channels, H, W)``.
        - Output: ``(N, channels, H, W)``.

    Raises:
        ValueError: If ``fusion`` is unknown.
    """

    def __init__(
        self,
        channels: int,
        num_inputs: int,
        *,
        fusion: str = 'fast',
        epsilon: float = 1e-4,
        act_first: bool = True,
        norm_cfg: OptConfigType = None,
        act_cfg: OptConfigType = None,
    ) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f'fusion must be one of {FUSIONS}, got {fusion!r}.')
        self.fusion = fusion
        self.epsilon = epsilon
        self.weights = None
        if fusion != 'sum':
            self.weights = nn.Parameter(torch.ones(num_inputs))
        activate = build_activation_layer(act_cfg) if act_cfg else nn.Identity()
        layers = [
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            _conv1x1(channels, channels, norm_cfg),
        ]
        layers.insert(0 if act_first else 2, activate)
        self.layers = nn.Sequential(*layers)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the fused map."""
        if self.weights is not None:
            inputs = [w * x for w, x in zip(self.shares(), inputs, strict=True)]
        return self.layers(sum(inputs))

    def shares(self) -> Tensor:
        """Return the weight of each input, ``(num_inputs,)``, none negative."""
        if self.fusion == 'softmax':
            return self.weights.softmax(dim=0)
        weights = self.weights.relu()
        return weights / (weights.sum() + self.epsilon)


def _conv1x1(
    in_channels: int, out_channels: int, norm_cfg: OptConfigType
) -> ConvModule:
    with warnings.catch_warnings():
        # The norm makes the bias superfluous, but the released weights have it.
        warnings.filterwarnings('ignore', 'Unnecessary conv bias')
        return ConvModule(
            in_channels, out_channels, 1, bias=True, norm_cfg=norm_cfg, act_cfg=None
        )


def _max_pool(x: Tensor, size: Sequence[int], zero_padding: bool) -> Tensor:
    """Pool 3x3 cells with stride 2 to a map of ``size`` cells.

    Padding is TensorFlow's ``same``: the larger half goes to the right and bottom.
    """
    padding = []
    # The width first, as F.pad wants it.
    for cells, target in zip(x.shape[:-3:-1], size[::-1], strict=True):
        missing = 2 * target + 1 - cells
        padding += [missing // 2, missing - missing // 2]
    border = 0.0 if zero_padding else float('-inf')
    return F.max_pool2d(F.pad(x, padding, value=border), 3, stride=2)


def _cells(size: tuple[int, int]) -> str:
    return f'{size[0]}x{size[1]}'
