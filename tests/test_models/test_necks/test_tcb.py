import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional as F

from m2det_mmdet.models.necks import TCB

CHANNELS = (2, 3, 4)


def inputs(*sides: tuple[int, int]) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.rand(2, c, *side) for c, side in zip(CHANNELS, sides, strict=True)]


def build(**config: object) -> TCB:
    torch.manual_seed(1)
    neck = TCB(CHANNELS, out_channels=5, **config)
    neck.init_weights()
    return neck


def test_every_map_is_the_sum_of_its_own_and_the_enlarged_coarser_one() -> None:
    neck = build()
    maps = inputs((8, 12), (4, 6), (2, 3))
    outputs = neck(maps)

    assert neck.out_channels == [5, 5, 5]
    assert [tuple(x.shape) for x in outputs] == [
        (2, 5, 8, 12),
        (2, 5, 4, 6),
        (2, 5, 2, 3),
    ]
    for index, block in enumerate(neck.blocks):
        first, second = (layer.conv for layer in block.lateral)
        merged = second(F.relu(first(maps[index])))
        if index < 2:
            merged = merged + block.deconv(outputs[index + 1])
        expected = F.relu(block.output.conv(F.relu(merged)))
        torch.testing.assert_close(outputs[index], expected)


def test_odd_maps_lose_what_the_deconvolution_makes_too_much() -> None:
    neck = build()
    maps = inputs((7, 5), (4, 3), (2, 2))
    outputs = neck(maps)
    block = neck.blocks[1]
    merged = block.lateral(maps[1]) + block.deconv(outputs[2])[..., :4, :3]

    assert [tuple(x.shape[2:]) for x in outputs] == [(7, 5), (4, 3), (2, 2)]
    torch.testing.assert_close(outputs[1], block.output(F.relu(merged)))


def test_the_parameters_are_those_of_the_authors_code() -> None:
    with torch.device('meta'):
        neck = TCB((512, 512, 1024, 512))
    laterals = 9 * (512 + 512 + 1024 + 512) * 256 + 9 * 4 * 256 * 256 + 8 * 256
    deconvolutions = 3 * (4 * 256 * 256 + 256)
    outputs = 4 * (9 * 256 * 256 + 256)
    count = sum(x.numel() for x in neck.parameters())

    assert count == laterals + deconvolutions + outputs == 11_407_104


def test_weights_begin_as_in_the_authors_code() -> None:
    neck = build()
    for module in neck.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            assert not module.bias.any()
            area = module.kernel_size[0] ** 2
            fans = (module.in_channels + module.out_channels) * area
            assert 0 < module.weight.abs().max() <= (6 / fans) ** 0.5


def test_batch_norm_follows_every_convolution() -> None:
    neck = build(norm_cfg={'type': 'BN'})
    norms = [x for x in neck.modules() if isinstance(x, nn.BatchNorm2d)]

    # Three of each block, and one of each deconvolution.
    assert len(norms) == 3 * 3 + 2
    assert not any(name.endswith('conv.bias') for name, _ in neck.named_parameters())
    assert neck.blocks[0].deconv.bias is None
    assert [x.shape[1] for x in neck(inputs((4, 4), (2, 2), (1, 1)))] == [5] * 3


def test_the_enlarged_map_is_normalised_before_it_is_added() -> None:
    neck = build(norm_cfg={'type': 'BN', 'eps': 0.0}).eval()
    block = neck.blocks[1]
    nn.init.constant_(block.norm.running_mean, -1)
    maps = inputs((4, 4), (2, 2), (1, 1))
    outputs = neck(maps)
    merged = block.lateral(maps[1]) + block.deconv(outputs[2]) + 1

    assert outputs[1].any()
    torch.testing.assert_close(outputs[1], block.output(F.relu(merged)))


def test_gradient_reaches_every_parameter() -> None:
    neck = build()
    outputs = neck(inputs((7, 5), (4, 3), (2, 2)))
    sum(x.square().sum() for x in outputs).backward()
    assert all(p.grad.any() for p in neck.parameters())


def test_other_maps_than_those_of_in_channels_are_named() -> None:
    message = r'3 maps of \[2, 3, 4\] channels and got 1 of \[2\]'
    with pytest.raises(ValueError, match=message):
        build()([torch.rand(1, 2, 4, 4)])


def test_a_map_of_another_size_is_named_beside_the_right_one() -> None:
    maps = inputs((8, 8), (4, 4), (4, 2))
    message = 'After a map of 4x4 cells TCB needs one of 2x2, got 4x2'
    with pytest.raises(ValueError, match=message):
        build()(maps)


def test_a_single_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r'two or more maps, got in_channels=\(8,\)'):
        TCB((8,))


@pytest.mark.parametrize('side', [64, 75])
def test_it_serves_other_detectors(side: int) -> None:
    backbone = {
        'type': 'ResNet',
        'depth': 18,
        'base_channels': 4,
        'stem_channels': 4,
        'out_indices': (1, 2, 3),
        'frozen_stages': -1,
    }
    neck = {'type': 'TCB', 'in_channels': (8, 16, 32), 'out_channels': 6}
    m2det = {
        'type': 'M2Det',
        'backbone': backbone,
        'neck': neck,
        'bbox_head': {
            'type': 'M2DetHead',
            'num_classes': 3,
            'anchor_generator': {
                'type': 'M2DetAnchorGenerator',
                'input_size': side,
                'sizes': [0.2, 0.4, 0.7, 1.0],
            },
        },
    }
    retinanet = {
        'type': 'RetinaNet',
        'backbone': backbone,
        'neck': neck,
        'bbox_head': {
            'type': 'RetinaHead',
            'num_classes': 3,
            'in_channels': 6,
            'anchor_generator': {
                'type': 'AnchorGenerator',
                'scales': [4],
                'ratios': [1.0],
                'strides': [8, 16, 32],
            },
        },
    }
    for config in (m2det, retinanet):
        model = MODELS.build(Config(copy.deepcopy(config))._cfg_dict)
        scores, _ = model(torch.rand(1, 3, side, side), mode='tensor')
        assert len(scores) == 3
        assert [x.shape[2] for x in scores] == [-(-side // s) for s in (8, 16, 32)]
