import torch
from mmdet.models.task_modules import MaxIoUAssigner, RandomSampler
from mmengine.structures import InstanceData

from m2det_mmdet.models.roi_heads import sample_rois

ASSIGNER = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5)


def test_boxes_are_matched_with_their_own_image_and_get_no_gradient() -> None:
    # An IoU of 0.4 with the object, of 0.6, and elsewhere.
    box = torch.tensor([[0.0, 0, 10, 4], [0, 0, 10, 6], [50, 50, 60, 60]])
    objects = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 10, 10]]), labels=torch.tensor([7])
    )
    none = InstanceData(bboxes=torch.empty(0, 4), labels=torch.empty(0).long())
    boxes = [box.clone().requires_grad_(), box[1:]]
    sampler = RandomSampler(num=8, pos_fraction=0.25, add_gt_as_proposals=True)

    first, second = sample_rois(boxes, ASSIGNER, sampler, [objects, none], [None, None])

    # The object itself is a RoI too.
    assert first.pos_priors.tolist() == [[0, 0, 10, 10], [0, 0, 10, 6]]
    assert first.pos_gt_labels.tolist() == [7, 7]
    assert first.neg_priors.tolist() == [[0, 0, 10, 4], [50, 50, 60, 60]]
    assert second.pos_priors.shape == (0, 4)
    assert second.neg_priors.tolist() == box[1:].tolist()
    assert not first.priors.requires_grad


def test_boxes_within_ignored_regions_are_not_drawn() -> None:
    assigner = MaxIoUAssigner(pos_iou_thr=0.5, neg_iou_thr=0.5, ignore_iof_thr=0.5)
    sampler = RandomSampler(num=8, pos_fraction=0.5, add_gt_as_proposals=False)
    objects = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 10, 10]]), labels=torch.tensor([7])
    )
    ignored = InstanceData(bboxes=torch.tensor([[50.0, 50, 90, 90]]))
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]])

    (found,) = sample_rois([boxes], assigner, sampler, [objects], [ignored])

    assert found.neg_priors.tolist() == [[20, 20, 30, 30]]
