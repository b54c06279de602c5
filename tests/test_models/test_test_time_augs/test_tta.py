import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import nn

from m2det_mmdet.models.dense_heads import M2DetHead


class Head(nn.Module):
    """The part of the head that merging needs."""

    suppress = staticmethod(M2DetHead.suppress)
    check_suppression = staticmethod(M2DetHead.check_suppression)

    def __init__(self) -> None:
        super().__init__()
        self.test_cfg = ConfigDict(
            score_thr=0.05,
            nms={'type': 'soft_nms', 'iou_threshold': 0.3, 'min_score': 0.01},
            max_per_img=2,
        )


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bbox_head = Head()

    def test_step(self, data: dict) -> None:
        raise NotImplementedError


def view(boxes: list, scores: list, flip: bool) -> DetDataSample:
    metainfo = {
        'ori_shape': (50, 100),
        'flip': flip,
        'flip_direction': 'horizontal' if flip else None,
    }
    sample = DetDataSample(metainfo=metainfo)
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4).float(),
        scores=torch.tensor(scores).float(),
        labels=torch.zeros(len(scores), dtype=torch.long),
    )
    return sample


def test_views_are_not_suppressed_before_they_are_merged() -> None:
    model = MODELS.build({'type': 'M2DetTTAModel', 'module': Detector()})

    assert model.module.bbox_head.test_cfg.nms is None
    assert model.tta_cfg.nms.type == 'soft_nms'


def test_one_soft_nms_runs_over_the_boxes_of_all_views() -> None:
    model = MODELS.build({'type': 'M2DetTTAModel', 'module': Detector()})
    # The same box, once as seen in the mirror: (100 - 30, 100 - 10).
    plain = view([[10, 10, 30, 30], [60, 10, 80, 30]], [0.9, 0.5], flip=False)
    mirrored = view([[70, 10, 90, 30]], [0.8], flip=True)
    (merged,) = model.merge_preds([[plain, mirrored]])

    # The mirrored box loses all its score to its equal, and two remain.
    found = merged.pred_instances
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.5]))
    assert found.bboxes.tolist() == [[10, 10, 30, 30], [60, 10, 80, 30]]


def test_no_boxes_at_all_merge_into_none() -> None:
    model = MODELS.build({'type': 'M2DetTTAModel', 'module': Detector()})
    (merged,) = model.merge_preds([[view([], [], False), view([], [], True)]])

    assert merged.pred_instances.bboxes.shape == (0, 4)


def test_tta_cfg_changes_the_suppression_of_the_head_in_part() -> None:
    config = {'max_per_img': 1}
    model = MODELS.build(
        {'type': 'M2DetTTAModel', 'module': Detector(), 'tta_cfg': ConfigDict(config)}
    )
    assert model.tta_cfg.nms.type == 'soft_nms'
    sample = view([[0, 0, 10, 10], [20, 0, 30, 8]], [0.9, 0.8], flip=False)
    (merged,) = model.merge_preds([[sample]])

    assert merged.pred_instances.scores.tolist() == torch.tensor([0.9]).tolist()


def test_a_suppression_without_sense_stops_when_built() -> None:
    tta_cfg = {'nms': {'type': 'soft_nms', 'iou_threshold': 5}}
    with pytest.raises(ValueError, match='iou_threshold must be from 0 to 1, got 5'):
        MODELS.build(
            {'type': 'M2DetTTAModel', 'module': Detector(), 'tta_cfg': tta_cfg}
        )
