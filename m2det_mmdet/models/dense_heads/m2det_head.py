"""M2Det's head, derived from SSD's."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.model import bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...utils.config_checks import check_counts
from ..layers import SharedConvs
from ..task_modules.priors import PriorCache, valid_flags
from ..utils.channels import check_channels
from ..utils.image_sizes import in_images, padded_size
from ..utils.rows import flatten_maps
from ..utils.suppression import check_suppression, select, suppress
from .matching_head import MatchingHead

# What every class has at the beginning behind a sigmoid: Focal Loss, section 3.3.
_FIRST_SCORE = 0.01


@MODELS.register_module()
class M2DetHead(MatchingHead):
    """Predict boxes and classes from each scale of a pyramid.

    As in SSD, each scale has one 3x3 convolution for boxes and one for classes, and
    matching, hard negative mining and losses are SSD's. Both losses are divided by the
    positives of the whole batch. `M2Det <https://arxiv.org/abs/1811.04533>`_,
    section 3.4. Arguments are those of
    :class:`mmdet.models.dense_heads.SSDHead`; the background is the last class.
    That head limits the candidates level by level; this one limits them over all levels
    together.

    Other losses and assigners of MMDetection may take the place of SSD's. Behind a
    sigmoid there is no background class, and every class begins with a score of 0.01.

    Args:
        num_classes: Number of classes, without the background.
        in_channels: Channels of each map; :class:`.M2Det` takes them from the neck.
        num_shared_convs: Number of 3x3 convolutions (depthwise separable with
            ``use_depthwise``) before those that predict; all scales share them, and
            have norms of their own: :class:`.SharedConvs`.
        feat_channels: Channels of these, and of the ``stacked_convs``.
        **kwargs: ``loss_cls``: config of ``CrossEntropyLoss`` (a softmax, the default),
            ``FocalLoss``, ``QualityFocalLoss`` or ``VarifocalLoss``. ``loss_bbox``:
            config of ``SmoothL1Loss`` (the default) or of another loss for
            :func:`.build_box_loss`; ``reg_decoded_bbox`` follows it. The rest are
            further arguments of ``SSDHead``.

    ``train_cfg`` is ``SSDHead``'s. ``assigner`` may be ``MaxIoUAssigner``,
    ``ATSSAssigner``, ``SimOTAAssigner``, ``TaskAlignedAssigner`` (with the keys
    ``alpha`` and ``beta``) or, behind a sigmoid, ``DynamicSoftLabelAssigner``.
    ``neg_pos_ratio`` (3 by default) is read for ``CrossEntropyLoss`` and
    ``smoothl1_beta`` for ``SmoothL1Loss`` only. There are two more keys:

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
        num_positives: Positives of the last batch, the mean of all processes, each
            counted by its quality where ``loss_cls`` learns one; what the losses were
            divided by, if at least 1.

    Raises:
        ValueError: If the scales of ``in_channels`` and the anchor generator
            differ, the losses, the assigner and ``train_cfg`` do not fit each other, or
            ``test_cfg.nms`` has an unknown type or option; in
            ``forward``, if the maps do not have ``in_channels``; at the first image,
            if a step or stride of the anchor generator does not fit its map (see
            :func:`.stride_fits`).
    """

    check_suppression = staticmethod(check_suppression)
    suppress = staticmethod(suppress)

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int],
        *,
        num_shared_convs: int = 0,
        feat_channels: int = 256,
        **kwargs,  # noqa: ANN003
    ) -> None:
        check_counts(1, feat_channels=feat_channels)
        widths = [feat_channels] * len(in_channels) if num_shared_convs else in_channels
        super().__init__(
            num_classes=num_classes,
            in_channels=widths,
            feat_channels=feat_channels,
            **kwargs,
        )
        self.in_channels = in_channels
        num_scales = self.prior_generator.num_levels
        if len(in_channels) != num_scales:
            raise ValueError(
                f'The head gets {len(in_channels)} maps (in_channels='
                f'{list(in_channels)}) but its anchor generator makes anchors '
                f'for {num_scales}: make num_scales of the neck and the sizes of '
                'the anchor generator (one more than scales) agree.'
            )
        self.shared_convs = self._make_shared_convs(num_shared_convs)
        self.check_suppression(self.test_cfg or {})
        self._prior_cache = PriorCache()

    def _make_shared_convs(self, num_convs: int) -> nn.Module | None:
        check_counts(0, num_shared_convs=num_convs)
        if not num_convs:
            return None
        return SharedConvs(
            self.in_channels,
            self.feat_channels,
            num_convs,
            depthwise=self.use_depthwise,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )

    def init_weights(self) -> None:
        """Initialize the weights; with a sigmoid every class begins at 0.01."""
        super().init_weights()
        if self.use_sigmoid_cls:
            for convs in self.cls_convs:
                nn.init.constant_(convs[-1].bias, bias_init_with_prob(_FIRST_SCORE))

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Predict class scores and box deltas of each scale.

        Args:
            x: Maps ``(N, in_channels[i], H_i, W_i)``.

        Returns:
            Scores ``(N, anchors * (num_classes + 1), H_i, W_i)`` before softmax, or
            ``(N, anchors * num_classes, H_i, W_i)`` before sigmoid, and deltas
            ``(N, anchors * 4, H_i, W_i)`` of each scale.
        """
        check_channels(x, self.in_channels, taker='head', giver='the neck')
        if self.shared_convs is not None:
            x = self.shared_convs(x)
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
            of the ``neg_pos_ratio`` times as many hardest negatives; or another loss of
            all anchors) and ``loss_bbox`` (of the positives), each divided by
            ``num_positives``, at least one.
        """
        sizes = [tuple(score.shape[-2:]) for score in cls_scores]
        scores = flatten_maps(cls_scores, self.cls_out_channels)
        deltas = flatten_maps(bbox_preds, self.bbox_coder.encode_size)
        anchors, flags = self.get_anchors(
            sizes, batch_img_metas, scores.device, self._anchor_dtype(scores)
        )
        rows = torch.stack([torch.cat(own) for own in anchors])
        targets = self._match(
            anchors,
            flags,
            batch_gt_instances,
            batch_img_metas,
            batch_gt_instances_ignore,
            self._candidates(rows, scores, deltas, sizes, batch_img_metas),
        )
        positive = targets.labels != self.num_classes
        return self._learn(scores, deltas, rows, targets, positive)

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
        scores = self._probabilities(scores)
        deltas = flatten_maps(bbox_preds, self.bbox_coder.encode_size).detach()
        if priors is None:
            priors = self._all_priors(cls_scores, image_size, scores.dtype)
        return self._decode(priors, deltas), scores

    @property
    def clips_boxes(self) -> bool:
        """Whether boxes end at the border of their image."""
        return getattr(self.bbox_coder, 'clip_border', True)

    def _in_image(
        self, boxes: Tensor, batch_img_metas: list[dict], rescale: bool
    ) -> Tensor:
        """Return :func:`.in_images` of boxes ``(N, A, 4)``."""
        return in_images(boxes, batch_img_metas, clip=self.clips_boxes, rescale=rescale)

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
