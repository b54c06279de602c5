"""The second head of RefineDet: object detection from refined anchors."""

from collections.abc import Sequence
from numbers import Real

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ..utils.image_sizes import padded_size
from ..utils.rows import flatten_maps
from ..utils.suppression import select
from .m2det_head import M2DetHead

Maps = list[Tensor]
Features = tuple[Sequence[Tensor], Maps, Maps]
FILTERS = ('drop', 'positives')


@MODELS.register_module()
class ODMHead(M2DetHead):
    """Classify refined anchors, and move them a second time.

    The object detection module of `RefineDet <https://arxiv.org/abs/1711.06897>`_,
    section 3: :class:`M2DetHead` on the anchors that :class:`ARMHead` has moved. They
    are matched again, and no gradient flows back through them. Anchors that are
    background with a confidence of more than 0.99 are filtered: they take no further
    part (the paper's negative anchor filtering).

    Args:
        **kwargs: Arguments of ``M2DetHead``. Anchors and their encoding are those of
            the ``ARMHead``.

    ``train_cfg`` and ``test_cfg`` are those of ``M2DetHead``. Both may hold
    ``objectness_thr``: anchors up to this objectness are filtered (0.01 by default;
    ``None`` filters none). ``train_cfg`` may hold ``filter_rule``:

    - ``'drop'``: a filtered anchor is neither positive nor negative (the paper's rule,
      the default);
    - ``'positives'``: it is not positive, but may be mined as a negative. It then
      learns the class of the object that it was matched with (as in the PyTorch port).
      Only ``CrossEntropyLoss`` mines.

    In a test filtered anchors have a score of 0 in all classes.

    Raises:
        ValueError: If ``filter_rule`` is unknown or does not fit ``loss_cls``, or
            ``objectness_thr`` is not a number from 0 to 1.
    """

    def __init__(self, **kwargs) -> None:  # noqa: ANN003
        super().__init__(**kwargs)
        for name, settings in (('train', self.train_cfg), ('test', self.test_cfg)):
            threshold = _objectness_thr(settings or {})
            fits = isinstance(threshold, Real) and 0 <= threshold <= 1
            if threshold is not None and not fits:
                raise ValueError(
                    f'{name}_cfg.objectness_thr must be from 0 to 1, or None to filter '
                    f'no anchors, got {threshold!r}.'
                )
        rule = self._filter_rule
        if rule not in FILTERS:
            raise ValueError(
                f'train_cfg.filter_rule must be one of {FILTERS}, got {rule!r}.'
            )
        if rule == 'positives' and self.use_sigmoid_cls:
            raise ValueError(
                "train_cfg.filter_rule='positives' leaves filtered anchors to mining, "
                f'but loss_cls is {type(self.loss_cls).__name__}, which mines none: '
                "use filter_rule='drop', or CrossEntropyLoss."
            )

    @property
    def _filter_rule(self) -> str:
        return (self.train_cfg or {}).get('filter_rule', FILTERS[0])

    def forward(self, x: Features) -> tuple[Maps, Maps, Maps, Maps]:
        """Predict classes and second deltas; pass on what the ``ARMHead`` predicts.

        Args:
            x: Maps ``(N, in_channels[i], H_i, W_i)``, and scores and deltas of the
                ``ARMHead``, ``(N, anchors * 2, H_i, W_i)`` and
                ``(N, anchors * 4, H_i, W_i)``.

        Returns:
            Scores and deltas of :meth:`M2DetHead.forward`, then those of the
            ``ARMHead``.
        """
        maps, arm_scores, arm_deltas = x
        return (*super().forward(maps), arm_scores, arm_deltas)

    def loss_by_feat(
        self,
        cls_scores: Maps,
        bbox_preds: Maps,
        arm_scores: Maps,
        arm_deltas: Maps,
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses from the outputs of :meth:`forward`.

        Returns:
            ``loss_cls`` and ``loss_bbox`` of ``M2DetHead``, both 0 if all positives
            of the batch are filtered.
        """
        scores = flatten_maps(cls_scores, self.cls_out_channels)
        deltas = flatten_maps(bbox_preds, self.bbox_coder.encode_size)
        anchors, filtered = self._refine(
            arm_scores,
            arm_deltas,
            padded_size(batch_img_metas),
            _objectness_thr(self.train_cfg),
        )
        sizes = [tuple(score.shape[-2:]) for score in cls_scores]
        # The place before the move decides whether an anchor takes part.
        _, flags = self.get_anchors(sizes, batch_img_metas, scores.device)
        anchors = anchors.to(self._anchor_dtype(scores))
        targets = self._match(
            [own.split(self._lengths(sizes)) for own in anchors],
            flags,
            batch_gt_instances,
            batch_img_metas,
            batch_gt_instances_ignore,
            self._candidates(anchors, scores, deltas, sizes, batch_img_metas),
        )
        positive = (targets.labels != self.num_classes) & ~filtered
        if self._filter_rule == 'drop':
            weights = targets.weights.masked_fill(filtered, 0)
            targets = targets._replace(weights=weights)
        return self._learn(scores, deltas, anchors, targets, positive)

    def predict_by_feat(
        self,
        cls_scores: Maps,
        bbox_preds: Maps,
        arm_scores: Maps,
        arm_deltas: Maps,
        batch_img_metas: list[dict] | None = None,
        cfg: ConfigDict | None = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Turn the outputs of :meth:`forward` into detections.

        Returns:
            What ``M2DetHead`` returns.
        """
        cfg = self.test_cfg if cfg is None else cfg
        boxes, scores = self.decode(
            cls_scores,
            bbox_preds,
            arm_scores,
            arm_deltas,
            padded_size(batch_img_metas),
            cfg,
        )
        boxes = self._in_image(boxes, batch_img_metas, rescale)
        return select(boxes, scores, cfg, with_nms=with_nms)

    def decode(
        self,
        cls_scores: Maps,
        bbox_preds: Maps,
        arm_scores: Maps,
        arm_deltas: Maps,
        image_size: tuple[int, int],
        cfg: ConfigDict | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Turn the outputs of :meth:`forward` into a box and scores of each anchor.

        Args:
            cls_scores: Class scores of each scale.
            bbox_preds: Box deltas of each scale.
            arm_scores: Scores of each scale from the ``ARMHead``.
            arm_deltas: Its deltas.
            image_size: Pixels ``(height, width)`` of the network's input.
            cfg: Replaces ``test_cfg``, whose ``objectness_thr`` it takes.

        Returns:
            As of :meth:`M2DetHead.decode`; the scores of filtered anchors are 0.
        """
        threshold = _objectness_thr(self.test_cfg if cfg is None else cfg)
        anchors, filtered = self._refine(arm_scores, arm_deltas, image_size, threshold)
        boxes, scores = super().decode(cls_scores, bbox_preds, image_size, anchors)
        return boxes, scores.masked_fill(filtered[..., None], 0)

    def _refine(
        self,
        arm_scores: Maps,
        arm_deltas: Maps,
        image_size: tuple[int, int],
        threshold: float | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the refined anchors ``(N, A, 4)`` and which are filtered ``(N, A)``.

        Boxes are xyxy, input pixels, and have no gradient.
        """
        scores = flatten_maps(arm_scores, 2).detach()
        deltas = flatten_maps(arm_deltas, self.bbox_coder.encode_size).detach()
        priors = self._all_priors(arm_scores, image_size, scores.dtype)
        refined = self.bbox_coder.decode(priors.flatten(0, 1), deltas.flatten(0, 1))
        objectness = scores.softmax(dim=-1)[..., 0]
        if threshold is None:
            filtered = torch.zeros_like(objectness, dtype=torch.bool)
        else:
            filtered = objectness <= threshold
        return refined.view_as(priors), filtered


def _objectness_thr(settings: dict) -> float | None:
    return settings.get('objectness_thr', 0.01)
