from types import SimpleNamespace

import torch
from mmcv.ops import ModulatedDeformConv2d
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
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


def test_operators_of_mmcv_get_contiguous_maps_and_keep_their_weights() -> None:
    layer = {'type': 'RoIAlign', 'output_size': 2, 'sampling_ratio': 2}
    extractor = SingleRoIExtractor(layer, 4, [8])
    model = nn.ModuleDict(
        {
            'conv': nn.Conv2d(3, 4, 3),
            'extractor': extractor,
            'deform': ModulatedDeformConv2d(4, 4, 3),
        }
    )
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    seen = []
    extractor.roi_layers[0].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    maps = model['conv'](torch.rand(1, 3, 10, 10))
    extractor([maps], torch.tensor([[0.0, 8, 8, 40, 40]]))

    assert not maps.is_contiguous()
    assert seen[0].is_contiguous()
    assert torch.equal(seen[0], maps)
    assert model['deform'].weight.is_contiguous()
