"""Heads of PANet: the first layer sees each level of an RoI apart, then they fuse."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.registry import MODELS
from mmengine.model import ModuleList
from torch import Tensor, nn

from ..layers.level_fusion import LevelFusion


@MODELS.register_module()
class PANetBBoxHead(Shared2FCBBoxHead):
    """mmdet's head of two shared layers, the first of them once for each level.

    Adaptive feature pooling of `PANet <https://arxiv.org/abs/1803.01534>`_ (section
    3.3): an RoI is pooled from all levels, each goes through a fully connected layer
    (and ReLU) of its own, and the results are fused. The second layer is common to all.
    The paper found this place and the maximum the best for boxes.

    Args:
        *args: Arguments of ``Shared2FCBBoxHead``.
        num_levels: Levels that the RoI extractor gives.
        fusion: ``'max'`` or ``'sum'``.
        **kwargs: Arguments of ``Shared2FCBBoxHead``.

    Shape:
        - Input: for each level ``(K, in_channels, h, w)``, of ``roi_feat_size``, as
          :class:`.AllLevelRoIExtractor` gives them.
        - Output: scores ``(K, num_classes + 1)`` and deltas
          ``(K, 4 * num_classes)``, as those of ``Shared2FCBBoxHead``.

    Raises:
        ValueError: If ``fusion`` is not known, or ``with_avg_pool`` is set; at the
            first image, if there are not ``num_levels`` levels.
    """

    def __init__(
        self, *args: Any, num_levels: int = 4, fusion: str = 'max', **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.with_avg_pool:
            raise ValueError(
                'PANetBBoxHead flattens each level, which with_avg_pool=True would '
                'average before: leave with_avg_pool out.'
            )
        self.fusion = LevelFusion(fusion)
        self.level_fcs = _take_first(self.shared_fcs, num_levels)
        if kwargs.get('init_cfg') is None:
            # As the parent initialises its own layers.
            self.init_cfg += [
                {
                    'type': 'Xavier',
                    'distribution': 'uniform',
                    'override': {'name': 'level_fcs'},
                }
            ]

    def forward(self, x: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return scores and deltas of RoIs, pooled from each level."""
        _check_levels(self, x, len(self.level_fcs), 'bbox_roi_extractor')
        pairs = zip(self.level_fcs, x, strict=True)
        levels = [fc(level.flatten(1)).relu() for fc, level in pairs]
        return super().forward(self.fusion(levels))


@MODELS.register_module()
class PANetMaskHead(FCNMaskHead):
    """mmdet's mask head, its first convolution once for each level.

    `PANet <https://arxiv.org/abs/1803.01534>`_ fuses the levels between the first and
    the second convolution of the mask branch. Its fully connected branch (section 3.4)
    is not part of this head.

    Args:
        *args: Arguments of ``FCNMaskHead``.
        num_levels: Levels that the RoI extractor gives.
        fusion: ``'max'`` or ``'sum'``.
        **kwargs: Arguments of ``FCNMaskHead``.

    Shape:
        - Input: for each level ``(K, in_channels, h, w)``.
        - Output: ``(K, num_classes, 2 * h, 2 * w)``, as that of ``FCNMaskHead``.

    Raises:
        ValueError: If ``fusion`` is not known, or there is no convolution; at the first
            image, if there are not ``num_levels`` levels.
    """

    def __init__(
        self, *args: Any, num_levels: int = 4, fusion: str = 'max', **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.num_convs < 1:
            raise ValueError(
                'PANetMaskHead fuses the levels after its first convolution, got '
                f'num_convs={self.num_convs}: give 1 or more.'
            )
        self.fusion = LevelFusion(fusion)
        self.level_convs = _take_first(self.convs, num_levels)

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        """Return the masks of RoIs, pooled from each level."""
        _check_levels(self, x, len(self.level_convs), 'mask_roi_extractor')
        pairs = zip(self.level_convs, x, strict=True)
        levels = [conv(level) for conv, level in pairs]
        return super().forward(self.fusion(levels))


def _take_first(layers: nn.ModuleList, num_levels: int) -> ModuleList:
    """Take the first layer out of a list, and return one such for each level.

    They are equal until their weights are initialised.
    """
    first = layers[0]
    del layers[0]
    return ModuleList(deepcopy(first) for _ in range(num_levels))


def _check_levels(
    head: nn.Module, levels: Sequence[Tensor] | Tensor, expected: int, extractor: str
) -> None:
    """Stop where a head does not get what it has layers for.

    Raises:
        ValueError: If it gets fused RoIs, or another number of levels.
    """
    name = type(head).__name__
    if isinstance(levels, Tensor):
        raise ValueError(
            f'{name} takes each RoI from all levels, and {extractor} gives one map an '
            f"RoI: set its type to 'AllLevelRoIExtractor'."
        )
    if len(levels) != expected:
        raise ValueError(
            f'{name} has a first layer for each of {expected} levels '
            f'(num_levels={expected}), and {extractor} pools from {len(levels)} '
            f'(featmap_strides): set num_levels={len(levels)}.'
        )
