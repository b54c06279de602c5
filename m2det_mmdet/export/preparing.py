"""From images as OpenCV reads them to the network's input, in a graph."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .metadata import Preparation


class Prepare(nn.Module):
    """Resizes and normalises images.

    Bilinear as OpenCV's, and rounded to whole pixels as its bytes are; OpenCV itself
    counts in steps of 1/2048, so that one pixel in some hundreds differs by 1.

    Args:
        size: Pixels ``(height, width)`` of the network's input.
        preparation: How.

    Shape:
        - Input: ``(N, H, W, 3)``, uint8, BGR.
        - Output: ``(N, 3, *size)``, float32.
    """

    def __init__(self, size: tuple[int, int], preparation: Preparation) -> None:
        super().__init__()
        self.size = size
        self.rgb = preparation.rgb
        for name in ('mean', 'std'):
            values = torch.tensor(getattr(preparation, name))
            self.register_buffer(name, values.view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Prepare images."""
        pixels = images.permute(0, 3, 1, 2).float()
        pixels = F.interpolate(pixels, self.size, mode='bilinear', align_corners=False)
        pixels = pixels.round()
        if self.rgb:
            pixels = pixels.flip(1)
        return (pixels - self.mean) / self.std
