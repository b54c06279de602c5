"""M2Det's head, derived from SSD's."""

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

from ..task_modules.mining import hard_negatives, shifted_cross_entropy
from ..task_modules.priors import PriorCache, valid_flags
from ..utils.channels import check_channels
from ..utils.rows import flatten_maps, within_ignored
from ..utils.suppression import check_suppression, row_per_image, select, suppress


@MODELS.register_module()
class M2DetHead(SSDHead):
    """Predict boxes and classes from each scale of a pyramid.

    As in SSD, each scale has one 3x3 convolution for boxes and one for classes, and
    matching, hard negative mining and losses are SSD's. Both losses are divided by the
    positives of the whole batch. `M2Det <https://arxiv.org/abs/1811.04533>`_,
    section 3.4. Arguments are those of
    :class:`mmdet.models.dense_heads.SSDHead`; the background is the last class.
    That head limits the candidates level by level; this one limits them over all levels
    together.

    Args:
        num_classes: Number of classes, without the background.
        in_channels: Channels of each map; :class:`.M2Det` takes them from the neck.
        **kwargs: Further arguments of ``SSDHead``. ``reg_decoded_bbox`` is not
            supported.

    ``train_cfg`` is ``SSDHead``'s with two more keys:

    - ``ignore_iof_thr``: an anchor that is not positive is no negative either if more
      than this fraction of it lies in an ignored box (a crowd). The assigner's key of
      the same name would drop the objects in a crowd as well.
    - ``rank_by_shifted_scores``: ``True`` ranks negatives as M2Det's release does. Its
      log-sum-exp is shifted by the largest score of the batch, so that anchors with all
      scores about 100 below it come last.

    ``test_cfg`` holds

    - ``score_thr``: boxes of a class need a higher score than this;
    - ``nms``: ``dict(type='soft_nms', ...)`` with the arguments of
      :func:`m2det_mmdet.ops.batched_soft_nms` except ``max_num``, class by class;
      ``dict(type='nms', ...)`` as for :func:`mmcv.ops.batched_nms`; or
      ``None`` to keep all boxes, unsorted and without a limit;
    - ``nms_pre``: number of the best boxes of an image that reach the suppression,
      ``-1`` for all (the default);
    - ``nms_pre_per_class``: the same for each class;
    - ``max_per_img``: number of boxes of an image that remain.

    Attributes:
        num_positives: Positives of the last batch, the mean of all processes; what
            the losses were divided by, if at least 1.

    Raises:
        ValueError: If the scales of ``in_channels`` and the anchor generator
            differ, or ``test_cfg.nms`` has an unknown type or option; in
            ``forward``, if the maps do not have ``in_channels``; at the first image,
            if a step or stride of the anchor generator does not fit its map (see
            :func:`.stride_fits`).
    """

    check_suppression = staticmethod(check_suppression)
    suppress = staticmethod(suppress)

    def __init__(self, num_classes: int, in_channels: Sequence[int], **kwargs) -> None:  # noqa: ANN003
        super().__init__(num_classes=num_classes, in_channels=in_channels, **kwargs)
        num_scales = self.prior_generator.num_levels
        if len(self.in_channels) != num_scales:
            raise ValueError(
                f'The head gets {len(self.in_channels)} maps (in_channels='
                f'{list(self.in_channels)}) but its anchor generator makes anchors '
                f'for {num_scales}: make num_scales of the neck and the sizes of '
                'the anchor generator (one more than scales) agree.'
            )
        if self.reg_decoded_bbox:
            raise ValueError(
                'M2DetHead learns encoded boxes: remove reg_decoded_bbox=True.'
            )
        self.check_suppression(self.test_cfg or {})
        self._prior_cache = PriorCache()
        self.num_positives = torch.zeros(())

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Predict class scores and box deltas of each scale.

        Args:
            x: Maps ``(N, in_channels[i], H_i, W_i)``.

        Returns:
            Scores ``(N, anchors * (num_classes + 1), H_i, W_i)`` before softmax
            and deltas ``(N, anchors * 4, H_i, W_i)`` of each scale.
        """
        check_channels(x, self.in_channels, taker='head', giver='the neck')
        return super().forward(x)

    def get_anchors(
        self,
        featmap_sizes: list[tuple[int, int]],
        batch_img_metas: list[dict],
        device: torch.device | str = 'cuda',
        dtype: torch.dtype = torch.float32,
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Return the anchors of each image, and which of them lie in its pixels."""
        size = padded_size(batch_img_metas)
        anchors = self._priors(featmap_sizes, size, device, dtype)
        flags = [
            valid_flags(
                featmap_sizes,
                self.num_base_priors,
                meta.get('pad_shape', meta['img_shape'])[:2],
                size,
                device,
            )
            for meta in batch_img_metas
        ]
        return [anchors] * len(batch_img_metas), flags

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses from the outputs of :meth:`forward`.

        Returns:
            Scalars ``loss_cls`` (cross entropy of the positives and, in each image,
            of the ``neg_pos_ratio`` times as many hardest negatives) and
            ``loss_bbox`` (smooth L1 of the positives), each divided by the number of
            positives in the batch, at least one.
        """
        sizes = [tuple(score.shape[-2:]) for score in cls_scores]
        scores = flatten_maps(cls_scores, self.cls_out_channels)
        anchors, flags = self.get_anchors(
            sizes, batch_img_metas, scores.device, self._anchor_dtype(scores)
        )
        labels, weights, targets = self._match(
            anchors,
            flags,
            batch_gt_instances,
            batch_img_metas,
            batch_gt_instances_ignore,
        )
        deltas = flatten_maps(bbox_preds, self.bbox_coder.encode_size)
        positive = labels != self.num_classes
        return self._losses(scores, deltas, labels, positive, weights, targets)

    def _anchor_dtype(self, scores: Tensor) -> torch.dtype:
        """Return the dtype in which anchors are matched."""
        # mmdet's coders encode in float32 and fail with targets of another dtype.
        keeps_dtype = getattr(self.bbox_coder, 'keeps_dtype', False)
        return scores.dtype if keeps_dtype else torch.float32

    def _match(
        self,
        anchors: list[list[Tensor]],
        flags: list[list[Tensor]],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Match the anchors of each image with its objects.

        Args:
            anchors: Anchors of each scale of each image.
            flags: Which of them take part.
            batch_gt_instances: Objects of each image.
            batch_img_metas: Meta information of each image.
            batch_gt_instances_ignore: Ignored boxes of each image, if any.

        Returns:
            Labels ``(N, anchors)``, their weights ``(N, anchors)``, and encoded boxes
            ``(N, anchors, 4)``. An anchor that does not take part has weight 0.
        """
        labels, weights, targets, *_ = self.get_targets(
            anchors, flags, batch_gt_instances, batch_img_metas
        )
        labels, weights = torch.cat(labels, dim=1), torch.cat(weights, dim=1)
        if batch_gt_instances_ignore is not None:
            ignored = within_ignored(
                [torch.cat(own) for own in anchors],
                batch_gt_instances_ignore,
                self.train_cfg.get('ignore_iof_thr', 1),
            )
            background = labels == self.num_classes
            weights = weights.masked_fill(ignored & background, 0)
        return labels, weights, torch.cat(targets, dim=1)

    def _losses(
        self,
        scores: Tensor,
        deltas: Tensor,
        labels: Tensor,
        positive: Tensor,
        weights: Tensor,
        targets: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the losses of the positives and of the hardest other anchors.

        Args:
            scores: ``(N, anchors, classes)``, background last.
            deltas: ``(N, anchors, 4)``.
            labels: Class that each anchor should learn, ``(N, anchors)``.
            positive: Which anchors are positive, ``(N, anchors)``.
            weights: Weights of the classes, ``(N, anchors)``.
            targets: Deltas that the positives should learn, ``(N, anchors, 4)``.

        Returns:
            Scalars ``loss_cls`` and ``loss_bbox``, zero without positives.
        """
        num_positives = positive.sum(dim=1)
        # Over all processes, because their gradients are averaged too.
        self.num_positives = reduce_mean(num_positives.sum().float())
        avg_factor = self.num_positives.clamp(min=1)
        losses = weights * F.cross_entropy(
            scores.transpose(1, 2), labels, reduction='none'
        )
        hardness = losses.detach()
        if self.train_cfg.get('rank_by_shifted_scores', False):
            hardness = shifted_cross_entropy(scores.detach(), labels)
            hardness = hardness.masked_fill(weights == 0, 0)
        limits = self.train_cfg['neg_pos_ratio'] * num_positives
        hard = hard_negatives(hardness, positive, limits)
        loss_bbox = F.smooth_l1_loss(
            deltas[positive],
            targets[positive],
            reduction='sum',
            beta=self.train_cfg['smoothl1_beta'],
        )
        return {
            'loss_cls': losses[positive | hard].sum() / avg_factor,
            'loss_bbox': loss_bbox / avg_factor,
        }

    def predict_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        score_factors: None = None,
        batch_img_metas: list[dict] | None = None,
        cfg: ConfigDict | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Turn the outputs of :meth:`forward` into detections.

        Args:
            cls_scores: Class scores of each scale.
            bbox_preds: Box deltas of each scale.
            score_factors: Not used by this head.
            batch_img_metas: ``img_shape`` of each image, with ``rescale`` its
                ``scale_factor`` too.
            cfg: Replaces ``test_cfg``.
            rescale: Whether to return boxes in pixels of the original image.
            with_nms: Whether to suppress overlapping boxes.

        Returns:
            For each image ``bboxes`` ``(K, 4)`` xyxy in pixels, ``scores``
            ``(K,)`` in descending order where suppressed, ``labels`` ``(K,)``.
        """
        cfg = self.test_cfg if cfg is None else cfg
        size = padded_size(batch_img_metas)
        boxes, scores = self.decode(cls_scores, bbox_preds, size)
        boxes = self._in_image(boxes, batch_img_metas, rescale)
        return select(boxes, scores, cfg, with_nms=with_nms)

    def decode(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        image_size: tuple[int, int],
        priors: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Turn the outputs of :meth:`forward` into a box and scores of each anchor.

        Args:
            cls_scores: Class scores of each scale.
            bbox_preds: Box deltas of each scale.
            image_size: Pixels ``(height, width)`` of the network's input.
            priors: Boxes that the deltas move, ``(N, A, 4)``; by default the anchors.

        Returns:
            Boxes ``(N, A, 4)``, xyxy in input pixels, which may leave the image, and
            the scores ``(N, A, C)`` of the classes, 0..1.
        """
        scores = flatten_maps(cls_scores, self.cls_out_channels).detach()
        scores = scores.softmax(dim=-1)
        deltas = flatten_maps(bbox_preds, self.bbox_coder.encode_size).detach()
        if priors is None:
            priors = self._all_priors(cls_scores, image_size, scores.dtype)
        boxes = self.bbox_coder.decode(priors.flatten(0, 1), deltas.flatten(0, 1))
        return boxes.view_as(priors), scores[..., :-1]

    @property
    def clips_boxes(self) -> bool:
        """Whether boxes end at the border of their image."""
        return getattr(self.bbox_coder, 'clip_border', True)

    def _in_image(
        self, boxes: Tensor, batch_img_metas: list[dict], rescale: bool
    ) -> Tensor:
        """Clip the boxes ``(N, A, 4)`` to their images, and scale them with these.

        Args:
            boxes: xyxy, input pixels.
            batch_img_metas: Meta information of each image.
            rescale: Whether to return boxes in pixels of the original image.
        """
        if self.clips_boxes:
            sides = [tuple(meta['img_shape'][1::-1]) * 2 for meta in batch_img_metas]
            boxes = boxes.clamp(min=0).minimum(row_per_image(sides, boxes))
        if rescale:
            shrink = [
                [1 / factor for factor in meta['scale_factor']] * 2
                for meta in batch_img_metas
            ]
            boxes = boxes * row_per_image(shrink, boxes)
        return boxes

    def _all_priors(
        self, maps: list[Tensor], image_size: tuple[int, int], dtype: torch.dtype
    ) -> Tensor:
        """Return the anchors ``(N, A, 4)`` of all scales, the same for each image.

        Args:
            maps: A map ``(N, C_i, H_i, W_i)`` of each scale.
            image_size: Pixels ``(height, width)`` of the network's input.
            dtype: Type of the anchors.
        """
        sizes = [tuple(x.shape[-2:]) for x in maps]
        priors = self._priors(sizes, image_size, maps[0].device, dtype)
        return torch.cat(priors).expand(maps[0].shape[0], -1, -1)

    def _priors(
        self,
        featmap_sizes: list[tuple[int, int]],
        image_size: tuple[int, int],
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> list[Tensor]:
        """Return the anchors of each scale for an input of ``image_size`` pixels."""
        return self._prior_cache.get(
            self.prior_generator,
            featmap_sizes,
            image_size,
            dtype,
            device,
        )


def padded_size(batch_img_metas: list[dict]) -> tuple[int, int]:
    """Return the pixels ``(height, width)`` of the network's input."""
    meta = batch_img_metas[0]
    return tuple(meta.get('batch_input_shape', meta['img_shape'])[:2])
