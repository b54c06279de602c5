"""Efficient channel attention."""

import math

from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn


class ECALayer(BaseModule):
    r"""Weigh each channel by the means of it and its neighbours.

    Global average pooling, a 1-d convolution along the channels without bias, and a
    sigmoid. `ECA-Net <https://arxiv.org/abs/1910.03151>`_, section 3: the kernel grows
    with the logarithm of the channels, :math:`|(\log_2 C + 1) / 2|`, rounded down, and
    up to an odd number.

    Args:
        channels: Channels of the input.
        init_cfg: Initialization config.

    Shape:
        - Input: ``(N, channels, H, W)``.
        - Output: likewise.
    """

    def __init__(self, channels: int, *, init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg=init_cfg)
        # The next odd number, if it is even.
        kernel = int((math.log2(channels) + 1) / 2) | 1
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with its channels weighed."""
        return x * self.weights(x)

    def weights(self, x: Tensor) -> Tensor:
        """Return what each channel is multiplied with, ``(N, channels, 1, 1)``."""
        means = x.mean(dim=(2, 3)).unsqueeze(1)
        weights = self.conv(means).sigmoid()
        return weights.transpose(1, 2).unsqueeze(-1)
