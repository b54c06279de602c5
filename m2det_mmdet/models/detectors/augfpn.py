"""Detectors that train with AugFPN's consistent supervision.

They differ from mmdet's only in ``loss``: the supervision does not change predictions.
"""

import copy

import torch
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import OHEMSampler, ScoreHLRSampler
from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.utils import OptConfigType
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..roi_heads import ConsistentSupervision, sample_rois

Losses = dict[str, Tensor | list[Tensor]]

# Which predictions of a dense head become RoIs, as in the authors' release.
PROPOSALS = {
    'nms_pre': 2000,
    'score_thr': 0.01,
    'min_bbox_size': 0,
    'nms': {'type': 'nms', 'iou_threshold': 0.7},
    'max_per_img': 1000,
}
SAMPLING = {
    'assigner': {
        'type': 'MaxIoUAssigner',
        'pos_iou_thr': 0.5,
        'neg_iou_thr': 0.5,
        'min_pos_iou': 0.5,
        'ignore_iof_thr': -1,
    },
    'sampler': {
        'type': 'RandomSampler',
        'num': 512,
        'pos_fraction': 0.25,
        'neg_pos_ub': -1,
        'add_gt_as_proposals': True,
    },
    'pos_weight': -1,
}
# Faster R-CNN's box head, with the release's smooth L1.
BOX_HEAD = {
    'type': 'Shared2FCBBoxHead',
    'fc_out_channels': 1024,
    'roi_feat_size': 7,
    'bbox_coder': {
        'type': 'DeltaXYWHBBoxCoder',
        'target_stds': [0.1, 0.1, 0.2, 0.2],
    },
    'loss_cls': {'type': 'CrossEntropyLoss'},
    'loss_bbox': {'type': 'SmoothL1Loss', 'beta': 1.0},
}


@MODELS.register_module()
class AugFPNTwoStageDetector(TwoStageDetector):
    """Faster or Mask R-CNN with consistent supervision.

    `AugFPN <https://arxiv.org/abs/1912.05384>`_. The RoIs and targets of the
    supervision are those that the RoI head samples.

    Args:
        roi_head: Config of the RoI head.
        supervision: Config of :class:`.ConsistentSupervision`. By default its heads
            are those of ``roi_head``, and its strides those of the box extractor. Keys
            of its ``bbox_head`` and ``mask_head`` replace those of the RoI head.
        **kwargs: Arguments of :class:`mmdet.models.TwoStageDetector`; the neck is an
            :class:`.AugFPN`.

    Raises:
        ValueError: If the neck does not return its laterals, or their number is not
            that of the strides, the RoI head trains in its own way, or there is no
            RPN.
    """

    def __init__(self, *, roi_head: dict, supervision: dict, **kwargs) -> None:  # noqa: ANN003
        # Building removes settings from the config.
        settings = copy.deepcopy(roi_head)
        super().__init__(roi_head=roi_head, **kwargs)
        _check_neck(self)
        if not self.with_rpn:
            raise ValueError(
                'AugFPNTwoStageDetector needs an RPN, since it reads no proposals from '
                'the data: give rpn_head.'
            )
        if type(self.roi_head).loss is not StandardRoIHead.loss:
            raise ValueError(
                'AugFPNTwoStageDetector trains a StandardRoIHead, and '
                f'{type(self.roi_head).__name__} trains in another way: use '
                'StandardRoIHead.'
            )
        heads = {
            name: {**settings[name], **supervision.get(name, {})}
            for name in ('bbox_head', 'mask_head')
            if settings.get(name)
        }
        strides = self.roi_head.bbox_roi_extractor.featmap_strides
        self.supervision = MODELS.build(
            {'featmap_strides': strides, **supervision, **heads}
        )
        _check_strides(self.neck, self.supervision)

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> Losses:
        """Compute the losses of the detector and of each lateral.

        Args:
            batch_inputs: Images ``(N, 3, H, W)``.
            batch_data_samples: Objects and meta information of each image.

        Returns:
            The losses of :class:`mmdet.models.TwoStageDetector` and those of
            :meth:`~m2det_mmdet.models.roi_heads.ConsistentSupervision.loss`.
        """
        pyramid, laterals = self.neck.forward_with_laterals(self.backbone(batch_inputs))
        losses, proposals = self._propose(pyramid, batch_data_samples)
        objects, ignored, _ = unpack_gt_instances(batch_data_samples)
        head = self.roi_head
        sampled = sample_rois(
            [found.bboxes for found in proposals],
            head.bbox_assigner,
            head.bbox_sampler,
            objects,
            ignored,
            maps=pyramid,
        )
        boxes = head.bbox_loss(pyramid, sampled)
        losses.update(boxes['loss_bbox'])
        if head.with_mask:
            masks = head.mask_loss(pyramid, sampled, boxes['bbox_feats'], objects)
            losses.update(masks['loss_mask'])
        losses.update(self.supervision.loss(laterals, sampled, objects, head.train_cfg))
        return losses

    def _propose(
        self, pyramid: tuple[Tensor, ...], batch_data_samples: list[DetDataSample]
    ) -> tuple[Losses, list[InstanceData]]:
        """Return the RPN's losses and proposals."""
        samples = copy.deepcopy(batch_data_samples)
        for sample in samples:
            # An RPN knows one class.
            sample.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
        cfg = self.train_cfg.get('rpn_proposal', self.test_cfg.rpn)
        losses, proposals = self.rpn_head.loss_and_predict(
            pyramid, samples, proposal_cfg=cfg
        )
        # Other dense heads use the names of the RoI head's losses.
        named = {
            name if 'rpn' in name else f'rpn_{name}': loss
            for name, loss in losses.items()
        }
        return named, proposals


@MODELS.register_module()
class AugFPNSingleStageDetector(SingleStageDetector):
    """A dense detector, such as RetinaNet or FCOS, with consistent supervision.

    As in the release of `AugFPN <https://arxiv.org/abs/1912.05384>`_, the RoIs of the
    supervision are the dense head's own predictions, and the objects.

    Args:
        bbox_head: Config of the dense head.
        supervision: Config of :class:`.ConsistentSupervision`. By default its head is
            the release's (:data:`BOX_HEAD`), with the channels of the neck and the
            classes of the dense head. Its strides are those of the dense head's finest
            maps, one for each lateral.
        proposal_cfg: Keys that differ from :data:`PROPOSALS`. It selects predictions as
            RoIs, like a ``test_cfg`` of the dense head.
        sampling_cfg: Keys that differ from :data:`SAMPLING`, which matches and samples
            the RoIs. ``_delete_=True`` drops the other keys of a part, as in configs
            that inherit.
        **kwargs: Arguments of :class:`mmdet.models.SingleStageDetector`; the neck is
            an :class:`.AugFPN`.

    Raises:
        ValueError: If the neck does not return its laterals, or their number is not
            that of the strides, the dense head has ``norm_on_bbox=True``, or the
            sampler needs an RoI head.
    """

    def __init__(
        self,
        *,
        bbox_head: dict,
        supervision: dict,
        proposal_cfg: OptConfigType = None,
        sampling_cfg: OptConfigType = None,
        **kwargs,  # noqa: ANN003
    ) -> None:
        super().__init__(bbox_head=bbox_head, **kwargs)
        _check_neck(self)
        if getattr(self.bbox_head, 'norm_on_bbox', False):
            raise ValueError(
                f'{type(self.bbox_head).__name__} with norm_on_bbox=True predicts no '
                'boxes in pixels while it trains, which the supervision needs: remove '
                'norm_on_bbox.'
            )
        self.proposal_cfg = ConfigDict({**PROPOSALS, **(proposal_cfg or {})})
        self.sampling_cfg = _merged(SAMPLING, sampling_cfg)
        name = self.sampling_cfg.sampler.type
        kind = TASK_UTILS.get(name) or object
        if issubclass(kind, (OHEMSampler, ScoreHLRSampler)):
            raise ValueError(
                f'{name} in sampling_cfg chooses by the losses of an RoI head, and '
                'a dense detector has none: use RandomSampler.'
            )
        self.assigner = TASK_UTILS.build(self.sampling_cfg.assigner)
        self.sampler = TASK_UTILS.build(self.sampling_cfg.sampler)
        head = {
            **BOX_HEAD,
            'in_channels': self.neck.out_channels,
            'num_classes': self.bbox_head.num_classes,
            **supervision.get('bbox_head', {}),
        }
        settings = {**supervision, 'bbox_head': head}
        if 'featmap_strides' not in settings:
            settings['featmap_strides'] = self._lateral_strides()
        self.supervision = MODELS.build(settings)
        _check_strides(self.neck, self.supervision)

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> Losses:
        """Compute the losses of the detector and of each lateral.

        Args:
            batch_inputs: Images ``(N, 3, H, W)``.
            batch_data_samples: Objects and meta information of each image.

        Returns:
            The losses of the dense head and those of
            :meth:`~m2det_mmdet.models.roi_heads.ConsistentSupervision.loss`.
        """
        pyramid, laterals = self.neck.forward_with_laterals(self.backbone(batch_inputs))
        losses, predictions = self.bbox_head.loss_and_predict(
            pyramid, batch_data_samples, proposal_cfg=self.proposal_cfg
        )
        objects, ignored, _ = unpack_gt_instances(batch_data_samples)
        sampled = sample_rois(
            [found.bboxes for found in predictions],
            self.assigner,
            self.sampler,
            objects,
            ignored,
        )
        losses.update(
            self.supervision.loss(laterals, sampled, objects, self.sampling_cfg)
        )
        return losses

    def _lateral_strides(self) -> list[int]:
        """Strides of the dense head's finest maps, one for each lateral."""
        generator = getattr(self.bbox_head, 'prior_generator', None)
        strides = getattr(generator, 'strides', None)
        if strides is None:
            raise ValueError(
                f'{type(self.bbox_head).__name__} has no known strides: give '
                'supervision.featmap_strides one stride for each lateral of the neck.'
            )
        return [stride for stride, _ in strides[: len(self.neck.lateral_convs)]]


def _merged(defaults: dict, changes: OptConfigType) -> ConfigDict:
    """Return ``defaults`` with the keys of ``changes``, merged as configs inherit."""
    merged = Config(copy.deepcopy(defaults))
    merged.merge_from_dict(dict(changes or {}))
    return ConfigDict(merged.to_dict())


def _check_neck(detector: SingleStageDetector | TwoStageDetector) -> None:
    """Raise if the neck of ``detector`` does not return its laterals."""
    neck = getattr(detector, 'neck', None)
    if not hasattr(neck, 'forward_with_laterals'):
        given = 'no neck' if neck is None else type(neck).__name__
        raise ValueError(
            'Consistent supervision needs the laterals of the neck, which '
            f"{given} does not return: use neck=dict(type='AugFPN')."
        )


def _check_strides(neck: nn.Module, supervision: ConsistentSupervision) -> None:
    """Raise if ``neck`` does not have one lateral for each stride."""
    strides, num_laterals = supervision.featmap_strides, len(neck.lateral_convs)
    if num_laterals != len(strides):
        raise ValueError(
            f'The neck has {num_laterals} laterals, but the supervision takes RoIs '
            f'from {len(strides)} levels (featmap_strides={strides}): give '
            'supervision.featmap_strides one stride for each lateral, or change '
            'start_level of the neck.'
        )
