"""SSD's encoding of boxes, exactly."""

from collections.abc import Sequence

import torch
from mmdet.models.task_modules.coders import BaseBBoxCoder
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import (
    BaseBoxes,
    bbox_cxcywh_to_xyxy,
    bbox_xyxy_to_cxcywh,
    get_box_tensor,
)
from torch import Tensor


@TASK_UTILS.register_module()
class SSDBBoxCoder(BaseBBoxCoder):
    """Encode a box by its shift and scale relative to an anchor.

    With centres ``c`` and sizes ``s`` the code is
    ``((c_box - c_anchor) / s_anchor / variances[0], ln(s_box / s_anchor) /
    variances[1])``; `SSD <https://arxiv.org/abs/1512.02325>`_, section 2.2, with the
    variances of its code. ``decode(a, encode(a, b)) == b`` up to rounding.

    :class:`mmdet.models.task_modules.DeltaXYWHBBoxCoder` gives the same inside the
    image and for scales up to 62.5. It clips other boxes, and always encodes in
    float32. This coder clips nothing and keeps the dtype, as M2Det's release does.

    Args:
        variances: Divisors of the shift and of the logarithm of the scale.
        clip_border: Whether decoded boxes are clipped to the image.
        eps: Added to the ratio of the sizes before the logarithm, as in RefineDet's
            PyTorch port. Decoded boxes then differ by the same amount.

    Attributes:
        keeps_dtype: ``True``: :class:`.M2DetHead` may pass anchors in the dtype of the
            predictions.
    """

    keeps_dtype = True

    def __init__(
        self,
        *,
        variances: tuple[float, float] = (0.1, 0.2),
        clip_border: bool = False,
        eps: float = 0.0,
    ) -> None:
        super().__init__()
        self.variances = variances
        self.clip_border = clip_border
        self.eps = eps

    def encode(
        self, bboxes: Tensor | BaseBoxes, gt_bboxes: Tensor | BaseBoxes
    ) -> Tensor:
        """Encode boxes relative to anchors.

        Args:
            bboxes: Anchors ``(N, 4)``, xyxy in pixels.
            gt_bboxes: Boxes ``(N, 4)`` of the same frame, of positive size.

        Returns:
            ``(N, 4)`` shifts ``x, y`` and scales ``w, h``, in the dtype of the anchors.
        """
        bboxes, gt_bboxes = get_box_tensor(bboxes), get_box_tensor(gt_bboxes)
        centre, size = bbox_xyxy_to_cxcywh(bboxes).split(2, dim=-1)
        gt_centre, gt_size = bbox_xyxy_to_cxcywh(gt_bboxes).split(2, dim=-1)
        shift = (gt_centre - centre) / size / self.variances[0]
        scale = (gt_size / size + self.eps).log() / self.variances[1]
        return torch.cat([shift, scale], dim=-1).to(bboxes.dtype)

    def decode(
        self,
        bboxes: Tensor | BaseBoxes,
        pred_bboxes: Tensor,
        max_shape: Sequence[int] | None = None,
    ) -> Tensor:
        """Decode the results of :meth:`encode`.

        Args:
            bboxes: Anchors ``(..., 4)``, xyxy in pixels.
            pred_bboxes: Shifts and scales ``(..., 4)``.
            max_shape: ``(height, width)`` of the image, for ``clip_border``.

        Returns:
            ``(..., 4)``, xyxy in pixels.
        """
        centre, size = bbox_xyxy_to_cxcywh(get_box_tensor(bboxes)).split(2, dim=-1)
        shift, scale = pred_bboxes.split(2, dim=-1)
        centre = centre + shift * self.variances[0] * size
        size = size * (scale * self.variances[1]).exp()
        boxes = bbox_cxcywh_to_xyxy(torch.cat([centre, size], dim=-1))
        if not self.clip_border or max_shape is None:
            return boxes
        height, width = max_shape[:2]
        return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height] * 2))
