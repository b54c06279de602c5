"""Multi-scale and flip testing with one suppression over all views."""

import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import OptConfigType
from mmengine.structures import InstanceData


@MODELS.register_module()
class M2DetTTAModel(DetTTAModel):
    """Test-time augmentation that suppresses once over all views of an image.

    In mmdet's :class:`DetTTAModel` each view suppresses its boxes before they are
    merged; soft-NMS would lower their scores twice. Here the views keep all boxes
    above the score threshold.

    Args:
        tta_cfg: Keys of the head's ``test_cfg`` that differ for the merged boxes:
            ``nms``, ``max_per_img``.
        **kwargs: Arguments of :class:`DetTTAModel`; ``module`` is a single-stage
            detector with :class:`.M2DetHead`.
    """

    def __init__(self, tta_cfg: OptConfigType = None, **kwargs) -> None:  # noqa: ANN003
        super().__init__(tta_cfg=tta_cfg, **kwargs)
        head = self.module.bbox_head
        self.tta_cfg = type(head.test_cfg)({**head.test_cfg, **(tta_cfg or {})})
        head.check_suppression(self.tta_cfg)
        head.test_cfg = type(head.test_cfg)({**head.test_cfg, 'nms': None})

    def _merge_single_sample(self, data_samples: list[DetDataSample]) -> DetDataSample:
        """Merge the boxes of all views of an image, in its original pixels."""
        views = [sample.pred_instances for sample in data_samples]
        bboxes, scores = self.merge_aug_bboxes(
            [view.bboxes for view in views],
            [view.scores for view in views],
            [sample.metainfo for sample in data_samples],
        )
        labels = torch.cat([view.labels for view in views])
        merged = InstanceData(bboxes=bboxes, scores=scores, labels=labels)
        result = data_samples[0]
        result.pred_instances = self.module.bbox_head.suppress(merged, self.tta_cfg)
        return result
