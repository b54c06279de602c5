"""The first head of RefineDet: anchor refinement."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from .m2det_head import M2DetHead


@MODELS.register_module()
class ARMHead(M2DetHead):
    """Tell objects from background, and move the anchors towards the objects.

    The anchor refinement module of `RefineDet <https://arxiv.org/abs/1711.06897>`_,
    section 3: :class:`M2DetHead` with one class for all objects, on the maps of the
    backbone. Its predictions go to :class:`ODMHead`; it detects nothing itself.

    Args:
        in_channels: Channels of each map; :class:`.RefineDet` takes them from the
            neck's inputs.
        **kwargs: Further arguments of ``M2DetHead``.

    Raises:
        ValueError: If ``loss_cls`` needs a sigmoid.
    """

    def __init__(self, in_channels: Sequence[int], **kwargs) -> None:  # noqa: ANN003
        super().__init__(num_classes=1, in_channels=in_channels, **kwargs)
        if self.use_sigmoid_cls:
            raise ValueError(
                f'loss_cls of the ARMHead is {type(self.loss_cls).__name__}, but it '
                'tells objects from background by a softmax: remove loss_cls, or use '
                'CrossEntropyLoss.'
            )

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses of ``M2DetHead``, with one class for all objects."""
        objects = [
            InstanceData(bboxes=truth.bboxes, labels=torch.zeros_like(truth.labels))
            for truth in batch_gt_instances
        ]
        return super().loss_by_feat(
            cls_scores, bbox_preds, objects, batch_img_metas, batch_gt_instances_ignore
        )
