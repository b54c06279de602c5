"""A small detector with the weights of the package, on a picture drawn for it."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.apis import DetInferencer
from torch import Tensor

from ..checkpoints.zoo import find_weights
from ..datasets.scenes import Scene, compose_scene
from ..ops import pairwise_iou
from ..utils.configs import load_config
from ..utils.devices import find_device
from ..utils.errors import clause_of
from ..utils.logs import prints_to, quiet_log
from .findings import ELSE_REPORT, Finding, ok, stop

_NAME = 'm2det_r18_scenes'
_SIZE = (128, 128)
# Of a scene all of whose objects the weights find, with scores of 0.99.
_SEED = 1
_CONFIDENT = 0.3
_OVERLAP = 0.5


def check_detector() -> Iterator[Finding]:
    """Detect the objects of a drawn scene."""
    scene = compose_scene(np.random.default_rng(_SEED), _SIZE)
    device = find_device(None)
    try:
        found = _detect(scene.image, device)
    # Whatever is broken of the packages may show here.
    except Exception as error:
        yield stop('detector', f'{_NAME} fails: {clause_of(error)}', ELSE_REPORT)
        return
    count, total = _count(scene, found), len(scene.objects)
    words = f'{_NAME} finds {count} of {total} objects of a drawn scene on {device}'
    if count == total:
        yield ok('detector', words)
    else:
        yield stop('detector', words, ELSE_REPORT)


def _detect(image: np.ndarray, device: torch.device) -> Any:
    """Return the boxes, scores and labels that the detector gives."""
    weights = str(find_weights(_NAME))
    with prints_to(quiet_log()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        detector = DetInferencer(
            load_config(_NAME), weights, device=str(device), show_progress=False
        )
        (sample,) = detector(image, return_datasamples=True, no_save_vis=True)[
            'predictions'
        ]
    return sample.cpu().pred_instances


def _count(scene: Scene, found: Any) -> int:
    """Count the objects of a scene that have a box of their class."""
    classes = load_config(_NAME).classes
    sure = found[found.scores > _CONFIDENT]
    overlaps = pairwise_iou(_boxes(scene), sure.bboxes) > _OVERLAP
    labels = torch.tensor([classes.index(x.name) for x in scene.objects])
    return int((overlaps & (labels[:, None] == sure.labels)).any(1).sum())


def _boxes(scene: Scene) -> Tensor:
    """Boxes of the objects, xyxy, pixels."""
    boxes = torch.tensor([x.box for x in scene.objects], dtype=torch.float32)
    return torch.cat((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), dim=1)
