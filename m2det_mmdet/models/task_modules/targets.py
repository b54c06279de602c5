"""What the anchors of a batch should learn."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.coders import BaseBBoxCoder
from mmdet.models.task_modules.prior_generators import anchor_inside_flags
from mmdet.models.task_modules.samplers import BaseSampler, SamplingResult
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from .assignment import alignment, needs_of


class Targets(NamedTuple):
    """What each anchor should learn.

    Attributes:
        labels: Class, or the number of classes for the background, ``(N, A)``.
        weights: Weight of the class, ``(N, A)``; 0 for an anchor that takes no part.
        boxes: Box of the object, ``(N, A, 4)``, encoded or xyxy in pixels; 0 without
            one.
        quality: How good the match with the object is, ``(N, A)``, 0..1; ``None`` if
            the assigner does not tell.
    """

    labels: Tensor
    weights: Tensor
    boxes: Tensor
    quality: Tensor | None


class Matcher:
    """Match anchors with objects.

    Args:
        assigner: An assigner of MMDetection, or one that is called as
            ``MaxIoUAssigner`` is.
        sampler: Chooses among what the assigner matched.
        bbox_coder: Encodes the boxes of objects; ``None`` to leave them in pixels.
        num_classes: Number of classes, without the background.
        train_cfg: ``allowed_border``, pixels that an anchor may reach beyond its image
            (-1, the default: any number); ``pos_weight``, weight of the class of a
            positive (1 by default, and where it is not positive); and options of the
            assigner.
        sigmoid: Whether scores go through a sigmoid; otherwise a softmax.

    Attributes:
        needs: What the assigner needs.

    Raises:
        ValueError: If the assigner needs what there is not (see :func:`.needs_of`).
    """

    def __init__(
        self,
        assigner: Any,
        sampler: BaseSampler,
        bbox_coder: BaseBBoxCoder | None,
        num_classes: int,
        train_cfg: dict[str, Any],
        *,
        sigmoid: bool,
    ) -> None:
        self.needs = needs_of(assigner, sigmoid=sigmoid)
        self._assigner = assigner
        self._sampler = sampler
        self._bbox_coder = bbox_coder
        self._num_classes = num_classes
        self._train_cfg = train_cfg

    def match(
        self,
        anchors: Tensor,
        flags: Tensor,
        lengths: Sequence[int],
        truths: Sequence[InstanceData],
        metas: Sequence[dict],
        candidates: Sequence[InstanceData],
    ) -> Targets:
        """Match the anchors of a batch.

        Args:
            anchors: ``(N, A, 4)``, xyxy in pixels.
            flags: Which of them may take part, ``(N, A)``.
            lengths: Number of anchors of each scale.
            truths: Objects of each image: ``bboxes`` ``(G, 4)``, xyxy in pixels, and
                ``labels`` ``(G,)``. Those without a width or a height are left out:
                no anchor can become such a box.
            metas: ``img_shape`` of each image.
            candidates: What :attr:`needs` asks for, of each image: ``priors`` ``(A,
                4)``, ``bboxes`` ``(A, 4)``, xyxy in pixels, and ``scores`` ``(A, C)``.

        Raises:
            ValueError: If no anchor of an image may take part.
        """
        shape = anchors.shape[:2]
        targets = Targets(
            labels=anchors.new_full(shape, self._num_classes, dtype=torch.long),
            weights=anchors.new_zeros(shape, dtype=torch.float),
            boxes=torch.zeros_like(anchors),
            quality=None,
        )
        positive_weight = self._train_cfg.get('pos_weight', -1)
        for image, (truth, meta) in enumerate(zip(truths, metas, strict=True)):
            inside = anchor_inside_flags(
                anchors[image],
                flags[image],
                meta['img_shape'][:2],
                self._train_cfg.get('allowed_border', -1),
            )
            truth = with_area(truth, anchors.dtype)
            result, sampled = self._assign(candidates[image], inside, lengths, truth)
            places = inside.nonzero()[:, 0]
            positive = places[sampled.pos_inds]
            targets.labels[image, positive] = sampled.pos_gt_labels
            targets.weights[image, positive] = (
                positive_weight if positive_weight > 0 else 1
            )
            targets.weights[image, places[sampled.neg_inds]] = 1
            boxes = get_box_tensor(sampled.pos_gt_bboxes)
            if self._bbox_coder is not None:
                boxes = self._bbox_coder.encode(anchors[image, positive], boxes)
            targets.boxes[image, positive] = boxes.to(anchors.dtype)
            quality = alignment(result, sampled.pos_inds)
            if quality is not None:
                if targets.quality is None:
                    targets = targets._replace(quality=quality.new_zeros(shape))
                targets.quality[image, positive] = quality
        return targets

    def _assign(
        self,
        candidates: InstanceData,
        inside: Tensor,
        lengths: Sequence[int],
        truth: InstanceData,
    ) -> tuple[AssignResult, SamplingResult]:
        """Match the anchors of an image that lie ``inside``, ``(A,)``."""
        if not inside.any():
            raise ValueError(
                'No anchor lies inside its image: make the anchors of the '
                'anchor_generator smaller, or set train_cfg.allowed_border=-1.'
            )
        candidates = candidates[inside]
        names = self.needs.options
        options = {k: self._train_cfg[k] for k in names if k in self._train_cfg}
        if self.needs.lengths:
            options['num_level_priors'] = [
                int(level.sum()) for level in inside.split(lengths)
            ]
        # Ignored boxes are the head's: assigners drop the objects in them as well.
        result = self._assigner.assign(
            candidates, gt_instances=truth, gt_instances_ignore=None, **options
        )
        return result, self._sampler.sample(result, candidates, truth)


def with_area(truth: InstanceData, dtype: torch.dtype) -> InstanceData:
    """Return the objects of an image that have a width and a height.

    Args:
        truth: ``bboxes`` ``(G, 4)``, xyxy in pixels, and more of each object.
        dtype: Of the anchors. Boxes of float64 would fail beside others; boxes are
            never rounded to less than float32.
    """
    boxes = get_box_tensor(truth.bboxes)
    truth = truth[(boxes[:, 2:] > boxes[:, :2]).all(dim=1)]
    truth.bboxes = truth.bboxes.to(torch.promote_types(dtype, torch.float32))
    return truth
