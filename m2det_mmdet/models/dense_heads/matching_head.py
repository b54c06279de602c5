"""How a head with anchors learns, whatever its losses and its assigner."""

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.structures.bbox import bbox_overlaps
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from ...utils.config_checks import check_counts, check_part
from ..losses import (
    box_loss,
    build_box_loss,
    build_class_loss,
    class_losses,
    learns_decoded_boxes,
    learns_quality,
)
from ..task_modules.assignment import LOGITS, centres
from ..task_modules.mining import hard_negatives, shifted_cross_entropy
from ..task_modules.strides import Size
from ..task_modules.targets import Matcher, Targets
from ..utils.image_sizes import padded_size
from ..utils.rows import within_ignored


class MatchingHead(SSDHead):
    """Match anchors with objects, and compute the losses.

    With softmax cross entropy it does what SSD does. A sigmoid has no background class,
    and all anchors that take part count. A loss of quality teaches the class of a
    positive its quality; the box of that positive is weighed by the same number.

    Args:
        num_classes: Number of classes, without the background.
        loss_cls: Config of a loss for :func:`.build_class_loss`.
        loss_bbox: Config of a loss for :func:`.build_box_loss`.
        reg_decoded_bbox: Whether boxes are compared in pixels. Follows ``loss_bbox``.
        train_cfg: See :class:`.M2DetHead`.
        **kwargs: Further arguments of ``SSDHead``.

    Raises:
        ValueError: If there is no class, or the losses, the assigner and ``train_cfg``
            do not fit each other.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        loss_cls: dict | None = None,
        loss_bbox: dict | None = None,
        reg_decoded_bbox: bool | None = None,
        train_cfg: dict | None = None,
        **kwargs,  # noqa: ANN003
    ) -> None:
        check_counts(1, num_classes=num_classes)
        settings = train_cfg or {}
        if train_cfg:
            check_part('train_cfg.assigner', train_cfg.get('assigner'))
        of_classes = build_class_loss(loss_cls or {'type': 'CrossEntropyLoss'})
        of_boxes = build_box_loss(loss_bbox, settings.get('smoothl1_beta'))
        sigmoid = of_classes.use_sigmoid
        if sigmoid and settings.get('rank_by_shifted_scores', False):
            raise ValueError(
                'train_cfg has rank_by_shifted_scores=True, which ranks negatives for '
                f'CrossEntropyLoss, but loss_cls is {type(of_classes).__name__}, which '
                'learns all of them: remove one of both.'
            )
        super().__init__(
            # The parent adds the background, which a sigmoid does without.
            num_classes=num_classes - 1 if sigmoid else num_classes,
            reg_decoded_bbox=learns_decoded_boxes(of_boxes, reg_decoded_bbox),
            train_cfg=train_cfg,
            **kwargs,
        )
        self.num_classes = num_classes
        self.use_sigmoid_cls = sigmoid
        self.loss_cls, self.loss_bbox = of_classes, of_boxes
        self.num_positives = torch.zeros(())
        if train_cfg:
            self._matcher = Matcher(
                self.assigner,
                self.sampler,
                None if self.reg_decoded_bbox else self.bbox_coder,
                num_classes,
                train_cfg,
                sigmoid=sigmoid,
            )

    def _probabilities(self, scores: Tensor) -> Tensor:
        """Return the scores 0..1 of the classes, ``(N, A, C)``."""
        if self.use_sigmoid_cls:
            return scores.sigmoid()
        return scores.softmax(dim=-1)[..., :-1]

    def _decode(self, anchors: Tensor, deltas: Tensor) -> Tensor:
        """Return boxes ``(N, A, 4)``, xyxy in pixels, that may leave the image."""
        boxes = self.bbox_coder.decode(anchors.flatten(0, 1), deltas.flatten(0, 1))
        return boxes.view_as(anchors)

    def _anchor_dtype(self, scores: Tensor) -> torch.dtype:
        """Return the dtype in which anchors are matched."""
        # mmdet's coders encode in float32 and fail with targets of another dtype.
        keeps_dtype = getattr(self.bbox_coder, 'keeps_dtype', False)
        return scores.dtype if keeps_dtype else torch.float32

    @torch.no_grad()
    def _candidates(
        self,
        anchors: Tensor,
        scores: Tensor,
        deltas: Tensor,
        featmap_sizes: Sequence[Size],
        batch_img_metas: list[dict],
    ) -> list[InstanceData]:
        """Return what the assigner needs of each image.

        Args:
            anchors: ``(N, A, 4)``, xyxy in pixels.
            scores: Before the activation, ``(N, A, classes)``.
            deltas: ``(N, A, 4)``.
            featmap_sizes: Cells ``(height, width)`` of each scale's map.
            batch_img_metas: Meta information of each image.
        """
        needs = self._matcher.needs
        fields = {'priors': anchors}
        if needs.points:
            size = padded_size(batch_img_metas)
            lengths = self._lengths(featmap_sizes)
            fields['priors'] = centres(anchors, lengths, featmap_sizes, size)
        if needs.scores:
            fields['bboxes'] = self._decode(anchors, deltas)
            given = scores if needs.scores == LOGITS else self._probabilities(scores)
            # A score of NaN would end the process; so the loss tells of it.
            fields['scores'] = given.nan_to_num(nan=0)
        return [
            InstanceData(**{name: rows[image] for name, rows in fields.items()})
            for image in range(len(anchors))
        ]

    def _lengths(self, featmap_sizes: Sequence[Size]) -> list[int]:
        """Return the number of anchors of each scale."""
        return [
            height * width * shapes
            for (height, width), shapes in zip(
                featmap_sizes, self.num_base_priors, strict=True
            )
        ]

    def _match(
        self,
        anchors: list[list[Tensor]],
        flags: list[list[Tensor]],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None,
        candidates: list[InstanceData] | None = None,
    ) -> Targets:
        """Match the anchors of each image with its objects.

        Args:
            anchors: Anchors of each scale of each image.
            flags: Which of them take part.
            batch_gt_instances: Objects of each image.
            batch_img_metas: Meta information of each image.
            batch_gt_instances_ignore: Ignored boxes of each image, if any.
            candidates: What the assigner needs; by default the anchors.

        Returns:
            Labels, their weights, and encoded boxes, or boxes if these are compared.
            An anchor that does not take part has weight 0.
        """
        rows = torch.stack([torch.cat(own) for own in anchors])
        targets = self._matcher.match(
            rows,
            torch.stack([torch.cat(own) for own in flags]),
            [len(level) for level in anchors[0]],
            batch_gt_instances,
            batch_img_metas,
            candidates or [InstanceData(priors=own) for own in rows],
        )
        if batch_gt_instances_ignore is None:
            return targets
        ignored = within_ignored(
            rows, batch_gt_instances_ignore, self.train_cfg.get('ignore_iof_thr', 1)
        )
        background = targets.labels == self.num_classes
        weights = targets.weights.masked_fill(ignored & background, 0)
        return targets._replace(weights=weights)

    def _learn(
        self,
        scores: Tensor,
        deltas: Tensor,
        anchors: Tensor,
        targets: Targets,
        positive: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            scores: ``(N, A, classes)``, before the activation.
            deltas: ``(N, A, 4)``.
            anchors: ``(N, A, 4)``, xyxy in pixels.
            targets: Of :meth:`_match`.
            positive: Which anchors are positive, ``(N, A)``.
        """
        labels, weights, wanted, quality = targets
        if learns_quality(self.loss_cls):
            if quality is None:
                quality = self._overlaps(deltas, anchors, wanted, positive)
            positive = quality * positive
        if self.reg_decoded_bbox:
            chosen = positive > 0
            # Boxes of the others may be infinite, and then their gradients are NaN.
            boxes = torch.zeros_like(deltas)
            boxes[chosen] = self.bbox_coder.decode(anchors[chosen], deltas[chosen])
            deltas = boxes
        return self._losses(scores, deltas, labels, positive, weights, wanted)

    @torch.no_grad()
    def _overlaps(
        self, deltas: Tensor, anchors: Tensor, wanted: Tensor, positive: Tensor
    ) -> Tensor:
        """Return the IoU ``(N, A)`` of each positive's box and object, 0 for others."""
        own, objects = anchors[positive], wanted[positive]
        if not self.reg_decoded_bbox:
            objects = self.bbox_coder.decode(own, objects)
        found = self.bbox_coder.decode(own, deltas[positive])
        overlaps = deltas.new_zeros(positive.shape)
        overlaps[positive] = bbox_overlaps(found, objects, is_aligned=True).to(deltas)
        return overlaps

    def _losses(
        self,
        scores: Tensor,
        deltas: Tensor,
        labels: Tensor,
        positive: Tensor,
        weights: Tensor,
        targets: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the losses of the classes and of the positives' boxes.

        Args:
            scores: Before the activation, ``(N, A, classes)``; with a softmax the
                background is the last one.
            deltas: What ``loss_bbox`` compares, encoded boxes or boxes, ``(N, A, 4)``.
            labels: Class that each anchor should learn, ``(N, A)``.
            positive: Which anchors are positive, or their quality, ``(N, A)``.
            weights: Weights of the classes, ``(N, A)``.
            targets: What ``deltas`` of the positives should be, ``(N, A, 4)``.

        Returns:
            Scalars ``loss_cls`` and ``loss_bbox``, which is zero without positives; so
            is the cross entropy.
        """
        chosen = positive > 0
        # Over all processes, because their gradients are averaged too.
        self.num_positives = reduce_mean(positive.sum().float())
        avg_factor = self.num_positives.clamp(min=1)
        losses = weights * class_losses(self.loss_cls, scores, labels, positive)
        if not self.use_sigmoid_cls:
            hard = self._hard_negatives(losses, scores, labels, chosen, weights)
            losses = losses[chosen | hard]
        loss_bbox = box_loss(
            self.loss_bbox, deltas[chosen], targets[chosen], positive[chosen]
        )
        return {
            'loss_cls': losses.sum() / avg_factor,
            'loss_bbox': loss_bbox / avg_factor,
        }

    def _hard_negatives(
        self,
        losses: Tensor,
        scores: Tensor,
        labels: Tensor,
        positive: Tensor,
        weights: Tensor,
    ) -> Tensor:
        """Return the anchors that are mined, ``(N, A)``."""
        hardness = losses.detach()
        if self.train_cfg.get('rank_by_shifted_scores', False):
            hardness = shifted_cross_entropy(scores.detach(), labels)
            hardness = hardness.masked_fill(weights == 0, 0)
        limits = self.train_cfg.get('neg_pos_ratio', 3) * positive.sum(dim=1)
        return hard_negatives(hardness, positive, limits)
