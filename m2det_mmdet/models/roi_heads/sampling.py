"""Boxes to learn from."""

from collections.abc import Sequence

from mmdet.models.task_modules.assigners import BaseAssigner
from mmdet.models.task_modules.samplers import BaseSampler, SamplingResult
from mmengine.structures import InstanceData
from torch import Tensor


def sample_rois(
    boxes: Sequence[Tensor],
    assigner: BaseAssigner,
    sampler: BaseSampler,
    batch_gt_instances: Sequence[InstanceData],
    batch_gt_instances_ignore: Sequence[InstanceData | None],
    *,
    maps: Sequence[Tensor] = (),
) -> list[SamplingResult]:
    """Match the boxes of each image with its objects, and sample some of them.

    Args:
        boxes: Boxes of each image, ``(K, 4)`` xyxy in input pixels. They get no
            gradient.
        assigner: Matches the boxes with objects.
        sampler: Chooses boxes, and adds the objects if its config says so.
        batch_gt_instances: Objects of each image.
        batch_gt_instances_ignore: Ignored regions of each image.
        maps: Maps ``(N, C, H_i, W_i)`` for a sampler that looks for hard examples.
    """
    sampled = []
    images = zip(boxes, batch_gt_instances, batch_gt_instances_ignore, strict=True)
    for index, (priors, objects, ignored) in enumerate(images):
        candidates = InstanceData(priors=priors.detach())
        matched = assigner.assign(candidates, objects, ignored)
        own = [x[index : index + 1] for x in maps]
        sampled.append(sampler.sample(matched, candidates, objects, feats=own))
    return sampled
