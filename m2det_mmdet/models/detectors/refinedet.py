"""RefineDet, the detector."""

from typing import Any

from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import OptConfigType, OptMultiConfig
from torch import Tensor

from ..dense_heads import ARMHead, ODMHead
from ..utils.channels import follow_backbone
from .m2det import M2Det

# Settings that the first head takes from the second.
_SHARED = ('anchor_generator', 'bbox_coder')


@MODELS.register_module()
class RefineDet(M2Det):
    """A single-stage detector that refines its anchors before it classifies them.

    `RefineDet <https://arxiv.org/abs/1711.06897>`_: the maps of the backbone go to an
    :class:`.ARMHead`, and through the neck to an :class:`.ODMHead`. The neck is a
    :class:`.TCB`, or another one that keeps the number and sizes of the maps.

    Args:
        arm_head: Config of the ``ARMHead``. Its channels come from the neck's inputs,
            its anchors and their encoding from ``bbox_head``.
        **kwargs: Arguments of :class:`M2Det`: ``backbone``, ``neck``, ``bbox_head``
            (the ``ODMHead``), ``train_cfg`` of both heads, ``test_cfg`` and so on.

    Raises:
        ValueError: If a head has another type, there is no neck, the neck changes the
            number of maps, or ``arm_head`` has its own anchors.
    """

    def __init__(self, *, arm_head: OptConfigType = None, **kwargs: Any) -> None:
        if kwargs.get('aux_levels'):
            raise ValueError(
                'The heads of RefineDet have no auxiliary ones: remove aux_levels.'
            )
        super().__init__(**kwargs)
        if not isinstance(self.bbox_head, ODMHead):
            raise ValueError(
                'bbox_head of RefineDet must be an ODMHead, got '
                f"{type(self.bbox_head).__name__}: give bbox_head=dict(type='ODMHead')."
            )
        settings = {'type': 'ARMHead', **(arm_head or {})}
        own = [name for name in _SHARED if name in settings]
        if own:
            raise ValueError(
                f'arm_head has its own {" and ".join(own)}, but both heads share '
                'those of bbox_head: remove them from arm_head.'
            )
        bbox_head = kwargs['bbox_head']
        self.arm_head = MODELS.build(
            {
                'in_channels': self._arm_channels(kwargs.get('neck')),
                'train_cfg': self.train_cfg,
                **{name: bbox_head[name] for name in _SHARED if name in bbox_head},
                **settings,
            }
        )
        if not isinstance(self.arm_head, ARMHead):
            raise ValueError(
                'arm_head of RefineDet must be an ARMHead, got '
                f"{type(self.arm_head).__name__}: give arm_head=dict(type='ARMHead')."
            )

    def extract_feat(
        self, batch_inputs: Tensor
    ) -> tuple[tuple[Tensor, ...], list[Tensor], list[Tensor]]:
        """Return the inputs of the ``ODMHead``.

        Args:
            batch_inputs: Images ``(N, 3, H, W)``.

        Returns:
            The maps of the neck, the largest first, and the scores and deltas that the
            ``ARMHead`` predicts from the maps of the backbone.
        """
        maps = self.backbone(batch_inputs)
        scores, deltas = self.arm_head(maps)
        return self._through_neck(maps, batch_inputs), scores, deltas

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Compute the losses of both heads.

        Returns:
            ``loss_arm_cls`` and ``loss_arm_bbox`` of the ``ARMHead``, ``loss_cls`` and
            ``loss_bbox`` of the ``ODMHead``, each divided by the positives of its head.
        """
        features = self.extract_feat(batch_inputs)
        truth, ignored, metas = unpack_gt_instances(batch_data_samples)
        arm = self.arm_head.loss_by_feat(*features[1:], truth, metas, ignored)
        odm = self.bbox_head.loss(features, batch_data_samples)
        return {
            'loss_arm_cls': arm['loss_cls'],
            'loss_arm_bbox': arm['loss_bbox'],
            **odm,
        }

    def _arm_channels(self, neck: OptMultiConfig) -> list[int]:
        """Channels of the backbone's maps, as the config ``neck`` has them or needs."""
        if neck is None:
            raise ValueError(
                "RefineDet needs a neck between its heads: give neck=dict(type='TCB', "
                '...).'
            )
        neck = follow_backbone(neck, self.backbone)
        neck = neck[0] if isinstance(neck, list) else neck
        channels = list(neck['in_channels'])
        outputs = list(self.bbox_head.in_channels)
        if len(channels) != len(outputs):
            raise ValueError(
                f'The neck makes {len(outputs)} maps of {len(channels)}, but the two '
                'heads of RefineDet refine and detect on the same maps: use a neck '
                'that keeps their number, such as TCB.'
            )
        return channels
