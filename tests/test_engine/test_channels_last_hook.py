from types import SimpleNamespace

import torch
from torch import nn

from m2det_mmdet.engine import ChannelsLastHook


def test_convolutions_keep_their_channels_last_and_their_values() -> None:
    model = nn.Conv2d(3, 4, 3)
    images = torch.rand(2, 3, 8, 8)
    before = model(images)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    after = model(images)

    assert after.is_contiguous(memory_format=torch.channels_last)
    assert not before.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before)
