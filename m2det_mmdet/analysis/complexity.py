"""Size and cost of a detector, counted without its weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from mmcv.ops import RoIAlign
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..models.detectors import drop_auxiliary
from ..utils.pipelines import resize_of, scale_of
from .structure import build_structure


@dataclass(frozen=True)
class Complexity:
    """What a detector costs.

    Args:
        input_size: Pixels ``(height, width)`` of the image.
        parameters: Numbers to learn; what modules share counts once, and auxiliary
            heads, which only training has, not.
        flops: Floating point operations of backbone, neck and head for one image,
            a multiply-add counted as two. Convolutions and matrix products alone. The
            RoI head of a two-stage detector has as many proposals as its ``test_cfg``
            allows; its mask head, as in mmdet's own count, the first hundred of them.
    """

    input_size: tuple[int, int]
    parameters: int
    flops: int


def measure(config: Config) -> Complexity:
    """Count what the detector of ``config`` costs at the size of its test images.

    The detector is built on the meta device: no weights are loaded or computed.
    """
    height, width = test_image_size(config)
    model = drop_auxiliary(build_structure(config)).eval()
    image = torch.empty(1, 3, height, width, device='meta')
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        _compute(model, image)
    return Complexity(
        input_size=(height, width),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        flops=counter.get_total_flops(),
    )


def _compute(model: nn.Module, image: Tensor) -> None:
    """Run all parts of a detector on the meta device."""
    if not isinstance(model, TwoStageDetector):
        model(image, mode='tensor')
        return
    for module in model.modules():
        if isinstance(module, RoIAlign):
            module.forward = partial(_pool, module)
        elif isinstance(module, SingleRoIExtractor):
            module.forward = partial(_extract, module)
    maps = model.extract_feat(image)
    model.rpn_head(maps)
    boxes = image.new_empty(model.test_cfg.rpn.max_per_img, 4)
    sample = DetDataSample(metainfo={'img_shape': tuple(image.shape[-2:])})
    model.roi_head.forward(maps, [InstanceData(bboxes=boxes)], [sample])


def _pool(layer: RoIAlign, x: Tensor, rois: Tensor) -> Tensor:
    """Return an output of RoIAlign, which needs values."""
    return x.new_empty(len(rois), x.shape[1], *layer.output_size)


def _extract(
    extractor: SingleRoIExtractor,
    maps: Sequence[Tensor],
    rois: Tensor,
    roi_scale_factor: float | None = None,
) -> Tensor:
    """Take all RoIs from the first map: the level of each is unknown."""
    return extractor.roi_layers[0](maps[0], rois)


def test_image_size(config: Config) -> tuple[int, int]:
    """Pixels ``(height, width)`` to which the config resizes its test images.

    Raises:
        ValueError: If its test pipeline has no ``Resize``.
    """
    resize = resize_of(config)
    if resize is None:
        raise ValueError(
            f'The test pipeline of {config.filename} has no Resize, so that the size '
            'of its images is unknown.'
        )
    width, height = scale_of(resize)
    return height, width
