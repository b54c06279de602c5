"""The SSD-derived head of M2Det."""

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmdet.utils import reduce_mean
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

from ..ops import batched_soft_nms, multiclass_soft_nms
from .suppression import (
    above,
    check_suppression,
    one_row_an_image,
    strongest,
    suppression_options,
)

# Sizes of images of which the anchors are kept.
_KEPT_SIZES = 8


@MODELS.register_module()
class M2DetHead(SSDHead):
    """Predict boxes and classes from each scale of a pyramid.

    One 3x3 convolution for boxes and one for classes a scale, as in SSD, with
    SSD's matching, hard negative mining and losses, both divided by the
    positives of the whole batch. `M2Det <https://arxiv.org/abs/1811.04533>`_,
    section 3.4. Arguments are those of
    :class:`mmdet.models.dense_heads.SSDHead`; the background is the last class.
    That head cannot predict in mmdet 3.1 and later, and limits the candidates
    level by level; this one limits them over all levels together.

    Args:
        num_classes: Number of classes, without the background.
        in_channels: Channels of each map; :class:`~m2det_mmdet.detectors.M2Det`
            takes them from the neck.
        **kwargs: Further arguments of ``SSDHead``. ``reg_decoded_bbox`` is not
            supported.

    ``train_cfg`` is ``SSDHead``'s, and may hold ``ignore_iof_thr``: an anchor that
    is not positive and of which more than this fraction lies within an ignored
    box, a crowd, is no negative either. (The key of the assigner of that name
    would drop the objects within a crowd as well.) With
    ``rank_by_shifted_scores=True`` negatives are ranked as in M2Det's release, whose
    log-sum-exp is shifted by the largest score of the batch: anchors of which all
    scores lie about 100 below it come last.

    ``test_cfg`` holds

    - ``score_thr``: boxes of a class need a higher score than this;
    - ``nms``: ``dict(type='soft_nms', ...)`` with the arguments of
      :func:`m2det_mmdet.ops.batched_soft_nms` but ``max_num``, class by class;
      ``dict(type='nms', ...)`` as :func:`mmcv.ops.batched_nms` takes it; or
      ``None`` to keep all boxes, unsorted and without a limit;
    - ``nms_pre``: highest scoring boxes an image that reach the suppression,
      ``-1`` for all (the default);
    - ``max_per_img``: boxes an image that remain.

    Raises:
        ValueError: If the scales of ``in_channels`` and the anchor generator
            differ, or ``test_cfg.nms`` has an unknown type or option; in
            ``forward``, if the maps are not those of ``in_channels``.
    """

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
        self._kept_priors: dict[tuple, list[Tensor]] = {}

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Predict class scores and box deltas of each scale.

        Args:
            x: Maps ``(N, in_channels[i], H_i, W_i)``.

        Returns:
            Scores ``(N, anchors * (num_classes + 1), H_i, W_i)`` before softmax
            and deltas ``(N, anchors * 4, H_i, W_i)`` of each scale.
        """
        channels = [feature.shape[1] for feature in x]
        if channels != list(self.in_channels):
            raise ValueError(
                f'The head was built for maps of {list(self.in_channels)} channels '
                f'and got {channels}: make in_channels of the head fit the neck.'
            )
        return super().forward(x)

    def get_anchors(
        self,
        featmap_sizes: list[tuple[int, int]],
        batch_img_metas: list[dict],
        device: torch.device | str = 'cuda',
        dtype: torch.dtype = torch.float32,
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Return the anchors of each image and which lie within its own pixels."""
        anchors = self._priors(featmap_sizes, batch_img_metas, device, dtype)
        flags = []
        for meta in batch_img_metas:
            height, width = meta.get('pad_shape', meta['img_shape'])[:2]
            limit = anchors[0].new_tensor([width, height])
            flags.append(
                [((a[:, :2] + a[:, 2:]) / 2 <= limit).all(dim=1) for a in anchors]
            )
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
            Scalars ``loss_cls`` (cross entropy of the positives and of
            ``neg_pos_ratio`` times as many hardest negatives an image) and
            ``loss_bbox`` (smooth L1 of the positives), each divided by the
            batch's number of positives, at least one.
        """
        sizes = [tuple(score.shape[-2:]) for score in cls_scores]
        scores = _flatten(cls_scores, self.cls_out_channels)
        # mmdet's coders encode in float32 and cannot fill targets of another dtype.
        keeps_dtype = getattr(self.bbox_coder, 'keeps_dtype', False)
        dtype = scores.dtype if keeps_dtype else torch.float32
        anchors, flags = self.get_anchors(sizes, batch_img_metas, scores.device, dtype)
        labels, label_weights, bbox_targets, *_ = self.get_targets(
            anchors,
            flags,
            batch_gt_instances,
            batch_img_metas,
        )
        labels = torch.cat(labels, dim=1)
        positive = labels != self.num_classes
        num_positives = positive.sum(dim=1)
        # Over all processes, whose gradients are averaged too.
        avg_factor = reduce_mean(num_positives.sum().float()).clamp(min=1)

        weights = torch.cat(label_weights, dim=1)
        if batch_gt_instances_ignore is not None:
            ignored = self._ignored(torch.cat(anchors[0]), batch_gt_instances_ignore)
            weights = weights.masked_fill(ignored & ~positive, 0)
        losses = weights * F.cross_entropy(
            scores.transpose(1, 2), labels, reduction='none'
        )
        hardness = losses.detach()
        if self.train_cfg.get('rank_by_shifted_scores', False):
            hardness = _shifted_cross_entropy(scores.detach(), labels)
            hardness = hardness.masked_fill(weights == 0, 0)
        hard = self._hard_negatives(hardness, positive, num_positives)
        loss_bbox = F.smooth_l1_loss(
            _flatten(bbox_preds, self.bbox_coder.encode_size)[positive],
            torch.cat(bbox_targets, dim=1)[positive],
            reduction='sum',
            beta=self.train_cfg['smoothl1_beta'],
        )
        return {
            'loss_cls': losses[positive | hard].sum() / avg_factor,
            'loss_bbox': loss_bbox / avg_factor,
        }

    def _ignored(self, anchors: Tensor, ignored: list[InstanceData]) -> Tensor:
        """Tell which anchors lie within the ignored boxes of each image.

        Returns:
            ``(N, anchors)``, by ``train_cfg['ignore_iof_thr']`` if there is one.
        """
        threshold = self.train_cfg.get('ignore_iof_thr', 1)
        within = torch.zeros(
            len(ignored), len(anchors), dtype=torch.bool, device=anchors.device
        )
        for image, instances in enumerate(ignored):
            if instances is not None:
                boxes = get_box_tensor(instances.bboxes)
                overlaps = bbox_overlaps(anchors, boxes, mode='iof')
                within[image] = (overlaps > threshold).any(dim=1)
        return within

    def _hard_negatives(
        self, hardness: Tensor, positive: Tensor, num_positives: Tensor
    ) -> Tensor:
        """Select each image's hardest negatives.

        Args:
            hardness: What to rank by, ``(N, anchors)``: losses.
            positive: Whether an anchor is positive, ``(N, anchors)``.
            num_positives: Positives of each image, ``(N,)``.

        Returns:
            Whether an anchor is selected, ``(N, anchors)``: ``neg_pos_ratio``
            times as many as positives, or all negatives if there are fewer.
        """
        # Before negatives of no loss and after all others, as in SSD.
        ranked = hardness.masked_fill(positive, 0).argsort(
            dim=1, descending=True, stable=True
        )
        limit = self.train_cfg['neg_pos_ratio'] * num_positives
        order = torch.arange(hardness.shape[1], device=hardness.device)
        first = order < limit[:, None]
        return torch.zeros_like(positive).scatter(1, ranked, first) & ~positive

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
            rescale: Whether boxes are given in pixels of the original image.
            with_nms: Whether to suppress overlapping boxes.

        Returns:
            For each image ``bboxes`` ``(K, 4)`` xyxy in pixels, ``scores``
            ``(K,)`` in descending order where suppressed, ``labels`` ``(K,)``.
        """
        cfg = self.test_cfg if cfg is None else cfg
        boxes, scores = self._decode(cls_scores, bbox_preds, batch_img_metas, rescale)
        scores = strongest(scores, cfg.get('nms_pre', -1))
        threshold = cfg.get('score_thr', 0)
        if not with_nms or not cfg.get('nms'):
            return above(boxes, scores, threshold)
        dets, labels, _ = multiclass_soft_nms(
            boxes,
            scores,
            score_thr=threshold,
            max_num=cfg.get('max_per_img', -1),
            **suppression_options(cfg['nms']),
        )
        counts = (labels >= 0).sum(dim=1).tolist()
        return [
            InstanceData(bboxes=found[:k, :4], scores=found[:k, 4], labels=classes[:k])
            for found, classes, k in zip(dets, labels, counts, strict=True)
        ]

    @staticmethod
    def suppress(detections: InstanceData, cfg: ConfigDict) -> InstanceData:
        """Suppress overlapping boxes of equal class as ``cfg.nms`` says.

        Args:
            detections: ``bboxes``, ``scores`` and ``labels`` of an image.
            cfg: ``test_cfg`` of this class.

        Returns:
            What remains, by descending score, at most ``cfg.max_per_img``.
        """
        if not cfg.get('nms'):
            return detections
        options = suppression_options(cfg['nms'])
        agnostic = options.pop('class_agnostic', False)
        labels = detections.labels
        dets, keep = batched_soft_nms(
            detections.bboxes,
            detections.scores,
            torch.zeros_like(labels) if agnostic else labels,
            max_num=cfg.get('max_per_img', -1),
            **options,
        )
        kept = detections[keep]
        kept.scores = dets[:, 4]
        return kept

    @staticmethod
    def check_suppression(test_cfg: ConfigDict) -> None:
        """Check what ``test_cfg`` of this class says of the suppression.

        Raises:
            ValueError: If it names an unknown suppression, or options that this
                cannot have.
        """
        check_suppression(test_cfg)

    def _decode(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_img_metas: list[dict],
        rescale: bool,
    ) -> tuple[Tensor, Tensor]:
        """Return the boxes ``(N, A, 4)`` and class scores ``(N, A, C)`` of all anchors.

        Args:
            cls_scores: Class scores of each scale.
            bbox_preds: Box deltas of each scale.
            batch_img_metas: Meta information of each image.
            rescale: Whether boxes are given in pixels of the original image.
        """
        sizes = [tuple(score.shape[-2:]) for score in cls_scores]
        scores = _flatten(cls_scores, self.cls_out_channels).detach().softmax(dim=-1)
        deltas = _flatten(bbox_preds, self.bbox_coder.encode_size).detach()
        priors = self._priors(sizes, batch_img_metas, scores.device, scores.dtype)
        priors = torch.cat(priors).expand(len(scores), -1, -1)
        boxes = self.bbox_coder.decode(priors.flatten(0, 1), deltas.flatten(0, 1))
        boxes = boxes.view_as(priors)
        if getattr(self.bbox_coder, 'clip_border', True):
            sides = [tuple(meta['img_shape'][1::-1]) * 2 for meta in batch_img_metas]
            boxes = boxes.clamp(min=0).minimum(one_row_an_image(sides, boxes))
        if rescale:
            shrink = [
                [1 / factor for factor in meta['scale_factor']] * 2
                for meta in batch_img_metas
            ]
            boxes = boxes * one_row_an_image(shrink, boxes)
        return boxes, scores[..., :-1]

    def _priors(
        self,
        featmap_sizes: list[tuple[int, int]],
        batch_img_metas: list[dict],
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> list[Tensor]:
        """Return the anchors of each scale for the batch's padded size.

        Those of the last few sizes are kept.
        """
        meta = batch_img_metas[0]
        image_size = tuple(meta.get('batch_input_shape', meta['img_shape'])[:2])
        generator = self.prior_generator
        key = (generator, tuple(featmap_sizes), dtype, str(device), image_size)
        priors = self._kept_priors.get(key)
        if priors is None:
            # They may serve a training step after an inference.
            with torch.inference_mode(False):
                priors = generator.grid_priors(
                    featmap_sizes, dtype, device, image_size=image_size
                )
            if len(self._kept_priors) >= _KEPT_SIZES:
                self._kept_priors.clear()
            self._kept_priors[key] = priors
        return list(priors)


def _shifted_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy by a log-sum-exp that is shifted by the largest score of all.

    Args:
        scores: ``(N, anchors, classes)``.
        labels: ``(N, anchors)``.

    Returns:
        ``(N, anchors)``; minus infinity where every exponential underflows.
    """
    largest = scores.max()
    log_sum = (scores - largest).exp().sum(dim=2).log() + largest
    return log_sum - scores.gather(2, labels[..., None])[..., 0]


def _flatten(maps: Sequence[Tensor], channels: int) -> Tensor:
    """Join the outputs of all scales, ``(N, anchors, channels)``, at least float32."""
    flat = [x.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, channels)) for x in maps]
    joined = torch.cat(flat, dim=1)
    return joined.to(torch.promote_types(joined.dtype, torch.float32))
