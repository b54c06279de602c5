"""Puts this package's soft-NMS in the place of mmcv's, for heads other than ours.

Importing the module does it, which a config asks for::

    custom_imports = dict(imports=['m2det_mmdet', 'm2det_mmdet.compat.fast_nms'])

Then ``nms=dict(type='soft_nms', ...)`` of any head of MMDetection runs on the device of
its boxes, and ``max_num`` in it, which mmcv's function does not know, ends the work
early (of fewer boxes than mmcv's ``split_thr``). The other options are those of mmcv's
function, which still keeps classes apart by shifting their boxes.
"""

import logging
from importlib import import_module

import mmcv.ops
import numpy as np
import torch
from mmengine.utils import deprecated_api_warning
from torch import Tensor

from ..ops.soft_nms import soft_nms as fast_soft_nms

Array = Tensor | np.ndarray


@deprecated_api_warning({'iou_thr': 'iou_threshold'})
def soft_nms(
    boxes: Array, scores: Array, *args: float | str, **options: float | str
) -> tuple[Array, Array]:
    """Soft-NMS of tensors or arrays of NumPy.

    Arguments and results are those of :func:`m2det_mmdet.ops.soft_nms`; the results
    are of the kind of ``boxes``.
    """
    dets, keep = fast_soft_nms(
        *(_as_tensor(x) for x in (boxes, scores)), *args, **options
    )
    if isinstance(boxes, np.ndarray):
        return dets.numpy(), keep.numpy()
    return dets, keep


def _as_tensor(values: Array) -> Tensor:
    # Tensors know no negative strides.
    return values if isinstance(values, Tensor) else torch.tensor(values.copy())


# `mmcv.ops.nms` is the function of that name; the module looks up the types of NMS.
import_module('mmcv.ops.nms').soft_nms = soft_nms
mmcv.ops.soft_nms = soft_nms
logging.getLogger('m2det_mmdet').warning(
    "m2det_mmdet.compat.fast_nms has put its soft-NMS in the place of mmcv's."
)
