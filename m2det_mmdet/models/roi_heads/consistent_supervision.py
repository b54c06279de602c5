"""Consistent supervision of AugFPN."""

from collections.abc import Sequence

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .extractors import AllLevelRoIExtractor


@MODELS.register_module()
class ConsistentSupervision(BaseModule):
    """Heads that make the laterals of all levels predict the same for an RoI.

    In training every sampled RoI is pooled from each lateral, before the maps are
    fused. One box head, shared by all levels, classifies and regresses it; with masks,
    so does one mask head. Their losses are multiplied by ``loss_weight``, the paper's
    lambda. Inference does not use this module. `AugFPN
    <https://arxiv.org/abs/1912.05384>`_; the mask head is from the authors' release.

    Args:
        bbox_head: Config of the box head; RoIs are pooled to its ``roi_feat_size``.
        featmap_strides: Stride of each lateral, in input pixels.
        mask_head: Config of the mask head.
        loss_weight: Factor of each loss of each level.
        sampling_ratio: Samples of RoIAlign in a bin along each axis.
        init_cfg: Initialization config.
    """

    def __init__(
        self,
        bbox_head: dict,
        featmap_strides: Sequence[int],
        *,
        mask_head: OptConfigType = None,
        loss_weight: float = 0.25,
        sampling_ratio: int = 2,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.loss_weight = loss_weight
        self.featmap_strides = list(featmap_strides)
        self.bbox_head = MODELS.build(bbox_head)
        self.pool_boxes = self._extractor(self.bbox_head, sampling_ratio)
        self.mask_head = None
        if mask_head is not None:
            self.mask_head = MODELS.build(mask_head)
            self.pool_masks = self._extractor(self.mask_head, sampling_ratio)

    def _extractor(self, head: nn.Module, sampling_ratio: int) -> AllLevelRoIExtractor:
        """Build the extractor that pools RoIs for ``head``."""
        layer = {
            'type': 'RoIAlign',
            'output_size': tuple(head.roi_feat_size),
            'sampling_ratio': sampling_ratio,
        }
        return AllLevelRoIExtractor(layer, head.in_channels, self.featmap_strides)

    def loss(
        self,
        laterals: Sequence[Tensor],
        sampled: Sequence[SamplingResult],
        batch_gt_instances: Sequence[InstanceData],
        train_cfg: dict,
    ) -> dict[str, Tensor]:
        """Compute the losses of each lateral.

        Args:
            laterals: A map ``(N, C, H_i, W_i)`` for each of ``featmap_strides``.
            sampled: RoIs of each image and the objects that they match. All levels
                get the same targets.
            batch_gt_instances: Objects of each image, with ``masks`` for a mask head.
            train_cfg: Keys that the heads read from a second stage's ``train_cfg``:
                ``pos_weight`` and, for masks, ``mask_size``.

        Returns:
            Weighted scalars: the losses of the box head, as ``lateral{i}.loss_cls``
            and ``lateral{i}.loss_bbox``, and, with a mask head,
            ``lateral{i}.loss_mask``.

        Raises:
            ValueError: If there are not as many laterals as strides.
        """
        losses = self._bbox_losses(laterals, sampled, train_cfg)
        if self.mask_head is not None:
            masks = self._mask_losses(laterals, sampled, batch_gt_instances, train_cfg)
            for level, mask_losses in zip(losses, masks, strict=True):
                level.update(mask_losses)
        return {
            f'lateral{index}.{name}': self.loss_weight * value
            for index, level in enumerate(losses)
            for name, value in level.items()
        }

    def _bbox_losses(
        self,
        laterals: Sequence[Tensor],
        sampled: Sequence[SamplingResult],
        train_cfg: dict,
    ) -> list[dict[str, Tensor]]:
        """Return the box head's losses of each lateral."""
        rois = bbox2roi([result.priors for result in sampled])
        targets = self.bbox_head.get_targets(sampled, train_cfg)
        if not len(rois):
            # Without RoIs the head would leave out some losses.
            rois, targets = rois.new_zeros(1, 5), self._zero_weight(*targets)
        losses = []
        for pooled in self.pool_boxes(laterals, rois):
            scores, deltas = self.bbox_head(pooled)
            level = self.bbox_head.loss(scores, deltas, rois, *targets)
            losses.append({key: x for key, x in level.items() if 'loss' in key})
        return losses

    def _zero_weight(
        self, labels: Tensor, label_weights: Tensor, *boxes: Tensor
    ) -> tuple[Tensor, ...]:
        """Return targets of one background RoI whose weights are zero."""
        background = labels.new_full((1,), self.bbox_head.num_classes)
        zeros = (x.new_zeros(1, *x.shape[1:]) for x in (label_weights, *boxes))
        return background, *zeros

    def _mask_losses(
        self,
        laterals: Sequence[Tensor],
        sampled: Sequence[SamplingResult],
        batch_gt_instances: Sequence[InstanceData],
        train_cfg: dict,
    ) -> list[dict[str, Tensor]]:
        """Return the mask head's losses of each lateral, for the positives only."""
        head = self.mask_head
        rois = bbox2roi([result.pos_priors for result in sampled])
        targets = head.get_targets(sampled, batch_gt_instances, train_cfg)
        labels = torch.cat([result.pos_gt_labels for result in sampled])
        if head.class_agnostic:
            labels = torch.zeros_like(labels)
        losses = []
        for pooled in self.pool_masks(laterals, rois):
            masks = head(pooled)
            # The mean over no mask is not a number.
            loss = head.loss_mask(masks, targets, labels) if len(rois) else masks.sum()
            losses.append({'loss_mask': loss})
        return losses
