import pytest
import torch
from torch import nn

from m2det_mmdet.models.layers.eca import ECALayer


@pytest.mark.parametrize(
    ('channels', 'kernel'),
    # Of the logarithms 2, 3, 7, 9 and 11, half of one more: 1.5, 2, 4, 5 and 6.
    [(4, 1), (8, 3), (128, 5), (512, 5), (2048, 7)],
)
def test_the_kernel_grows_with_the_logarithm_of_the_channels(
    channels: int, kernel: int
) -> None:
    assert [x.numel() for x in ECALayer(channels).parameters()] == [kernel]


def test_a_channel_is_weighed_by_its_mean_and_those_of_its_neighbours() -> None:
    # With eight channels the kernel has three taps.
    layer = ECALayer(8)
    nn.init.ones_(layer.conv.weight)
    x = torch.zeros(1, 8, 1, 2)
    x[0, :3, 0] = torch.tensor([[1.0, 3.0], [1.0, 1.0], [-4.0, -2.0]])

    found = layer(x)

    # Means of 2, 1, -3 and 0; zeros beyond the border.
    sums = torch.tensor([3.0, 0.0, -2.0])
    torch.testing.assert_close(found[0, :3], x[0, :3] * sums.sigmoid()[:, None, None])
    assert not found[0, 3:].any()
