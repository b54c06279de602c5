"""The outputs of all scales as rows of anchors."""

from collections.abc import Sequence

import torch
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor


def flatten_maps(maps: Sequence[Tensor], channels: int) -> Tensor:
    """Join the outputs of all scales, ``(N, anchors, channels)``, at least float32.

    Args:
        maps: ``(N, anchors of a cell * channels, H_i, W_i)`` of each scale.
        channels: Numbers for each anchor.
    """
    flat = [x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, channels) for x in maps]
    joined = torch.cat(flat, dim=1)
    return joined.to(torch.promote_types(joined.dtype, torch.float32))


def within_ignored(
    anchors: Sequence[Tensor], ignored: Sequence[InstanceData | None], threshold: float
) -> Tensor:
    """Return which anchors lie within the ignored boxes of their image.

    Args:
        anchors: ``(anchors, 4)`` of each image, xyxy.
        ignored: Boxes of each image, in the same frame.
        threshold: An anchor lies within a box if a larger fraction of it does.

    Returns:
        ``(N, anchors)``.
    """
    within = anchors[0].new_zeros(len(anchors), len(anchors[0]), dtype=torch.bool)
    for image, (own, instances) in enumerate(zip(anchors, ignored, strict=True)):
        if instances is not None:
            boxes = get_box_tensor(instances.bboxes)
            overlaps = bbox_overlaps(own, boxes, mode='iof')
            within[image] = (overlaps > threshold).any(dim=1)
    return within
