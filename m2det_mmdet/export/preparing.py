"""From images as OpenCV reads them to the network's input, in a graph."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .metadata import Preparation


class Prepare(nn.Module):
    """Resizes and normalises images.

    Bilinear as OpenCV's, whose results are rounded to bytes; these are not, so that
    a channel differs by up to 0.5 of 255.

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
        if self.rgb:
            pixels = pixels.flip(1)
        return (pixels - self.mean) / self.std
