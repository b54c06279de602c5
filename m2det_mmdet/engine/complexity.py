"""Size and cost of a detector, counted without its weights."""

from dataclasses import dataclass

import torch
from mmengine.config import Config
from torch.utils.flop_counter import FlopCounterMode

from .structure import build_structure


@dataclass(frozen=True)
class Complexity:
    """What a detector costs.

    Args:
        input_size: Pixels ``(height, width)`` of the image.
        parameters: Numbers to learn; what modules share counts once.
        flops: Floating point operations of backbone, neck and head for one image,
            a multiply-add counted as two. Convolutions and matrix products alone.
    """

    input_size: tuple[int, int]
    parameters: int
    flops: int


def measure(config: Config) -> Complexity:
    """Count what the detector of ``config`` costs at the size of its test images.

    The detector is built on the meta device: no weights are loaded or computed.
    """
    height, width = _test_size(config)
    model = build_structure(config).eval()
    image = torch.empty(1, 3, height, width, device='meta')
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image, mode='tensor')
    return Complexity(
        input_size=(height, width),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        flops=counter.get_total_flops(),
    )


def _test_size(config: Config) -> tuple[int, int]:
    """Pixels ``(height, width)`` to which the config resizes its test images."""
    pipeline = config.test_dataloader.dataset.pipeline
    scales = [step.scale for step in pipeline if step.type.endswith('Resize')]
    if not scales:
        raise ValueError(
            f'The test pipeline of {config.filename} has no Resize that tells the size '
            'of its images.'
        )
    width, height = scales[0]
    return height, width
