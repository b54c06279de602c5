"""Suppression that is chosen after the network has run."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from mmengine.structures import InstanceData
from torch import nn

from ..apis import Prediction
from ..export.detector import ExportedDetector
from ..models.utils.suppression import suppress, suppression_options

OWN, SOFT, HARD = 'own', 'soft', 'hard'
_MOST = 2**31 - 1  # mmdet cuts its list of boxes there


@dataclass(frozen=True)
class Suppression:
    """How a detector would have suppressed overlapping boxes.

    Attributes:
        nms: ``test_cfg.nms`` of the detector.
        max_per_img: Number of boxes of an image that remain; all if not positive.
    """

    nms: dict[str, Any]
    max_per_img: int

    def apply(self, found: Prediction, way: str, overlap: float) -> Prediction:
        """Suppress overlapping boxes of equal class.

        Args:
            found: All boxes.
            way: ``own`` for the detector's way, ``soft`` for soft-NMS that lowers
                scores linearly, ``hard`` for NMS.
            overlap: IoU above which ``soft`` and ``hard`` act, from 0 to 1; at 1 they
                leave all boxes.

        Returns:
            The boxes that remain, the best score first.
        """
        boxes = InstanceData(
            bboxes=torch.from_numpy(found.boxes),
            scores=torch.from_numpy(found.scores),
            labels=torch.from_numpy(found.labels),
        )
        test_cfg = {'nms': self._nms(way, overlap), 'max_per_img': self.max_per_img}
        kept = suppress(boxes, test_cfg)
        return replace(
            found,
            boxes=kept.bboxes.numpy(),
            scores=kept.scores.numpy(),
            labels=kept.labels.numpy(),
        )

    def _nms(self, way: str, overlap: float) -> dict[str, Any]:
        if way == OWN:
            return self.nms
        kind = {SOFT: {'type': 'soft_nms', 'method': 'linear'}, HARD: {'type': 'nms'}}
        agnostic = self.nms.get('class_agnostic', False)
        return {**kind[way], 'iou_threshold': overlap, 'class_agnostic': agnostic}


def take_suppression(model: nn.Module) -> Suppression | None:
    """Let a detector return all of its boxes, and return how it would have chosen.

    Args:
        model: The detector; changed, unless ``None`` is returned.

    Returns:
        ``None`` where boxes cannot be had before the suppression: of an exported file
        that suppresses itself, of a detector with two stages or without suppression.
    """
    if isinstance(model, ExportedDetector):
        inside = model.file.metadata.suppression is not None
        test_cfg = None if inside else model.test_cfg
    elif isinstance(model, SingleStageDetector):
        test_cfg = model.bbox_head.test_cfg
    else:
        test_cfg = None
    if not test_cfg or not test_cfg.get('nms'):
        return None
    nms = deepcopy(dict(test_cfg['nms']))
    try:
        suppression_options(nms)
    # Options that only mmcv's own functions have.
    except ValueError:
        return None
    suppression = Suppression(nms, test_cfg.get('max_per_img', -1))
    test_cfg.update(nms=None, max_per_img=_MOST)
    return suppression
