"""Parameters and GFLOP of the necks, as ``docs/necks.md`` states them.

Counted without weights, for one image; a multiply-add is two operations. Where the
comment names no other source, mmdet's modules gave the figures, and the project of
EfficientDet in its repository those of BiFPN. AugFPN's are in ``test_augfpn.py``.
"""

from copy import deepcopy
from dataclasses import dataclass

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

SQUARE, WIDE = (640, 640), (800, 1344)
# WIDE, padded to multiples of 128 pixels as EfficientDet and NAS-FPN have to.
PADDED = (896, 1408)

PYRAMID = {
    'in_channels': [256, 512, 1024, 2048],
    'out_channels': 256,
    'num_outs': 5,
}
NASFPN = {'type': 'NASFPN', **PYRAMID, 'start_level': 1, 'norm_cfg': {'type': 'BN'}}
# mmdet's configs of DetectoRS, without and with switchable atrous convolution.
RFP = {
    'type': 'RFP',
    **PYRAMID,
    'rfp_steps': 2,
    'aspp_out_channels': 64,
    'rfp_backbone': {
        'type': 'DetectoRS_ResNet',
        'depth': 50,
        'rfp_inplanes': 256,
        'conv_cfg': {'type': 'ConvAWS'},
    },
}
RFP_WITH_SAC = deepcopy(RFP)
RFP_WITH_SAC['rfp_backbone'].update(
    sac={'type': 'SAC', 'use_deform': True}, stage_with_sac=(False, True, True, True)
)
C3_TO_C5 = {'in_channels': [512, 1024, 2048]}
MLFPN = {'type': 'MLFPN', **C3_TO_C5, 'num_scales': 5, 'exact_strides': True}


@dataclass
class Count:
    """What a neck costs.

    Args:
        neck: Its config.
        parameters: Numbers to learn.
        gflop: GFLOP for images of some pixels ``(height, width)``.
        stride: Stride of its first input; each further one has twice that before.
    """

    neck: dict
    parameters: int
    gflop: dict[tuple[int, int], float]
    stride: int = 8


def bifpn(channels: int, stages: int, in_channels: list[int]) -> dict:
    return {
        'type': 'BiFPN',
        'in_channels': in_channels,
        'out_channels': channels,
        'num_stages': stages,
    }


COUNTS = {
    'FPN': Count(
        {'type': 'FPN', **PYRAMID},
        parameters=3_344_384,
        gflop={SQUARE: 46.399, WIDE: 121.799},
        stride=4,
    ),
    # As in RetinaNet.
    'FPN, P3 to P7': Count(
        {'type': 'FPN', **PYRAMID, 'start_level': 1, 'add_extra_convs': 'on_input'},
        parameters=7_997_440,
        gflop={SQUARE: 13.818, WIDE: 36.385},
        stride=4,
    ),
    'PAFPN': Count(
        {'type': 'PAFPN', **PYRAMID},
        parameters=6_884_864,
        gflop={SQUARE: 66.218, WIDE: 173.821},
        stride=4,
    ),
    'NASFPN, 7 stacks': Count(
        {**NASFPN, 'stack_times': 7},
        parameters=29_990_144,
        gflop={SQUARE: 99.821, WIDE: 261.896, PADDED: 307.449},
        stride=4,
    ),
    'NASFPN, 3 stacks': Count(
        {**NASFPN, 'stack_times': 3},
        parameters=13_453_568,
        gflop={SQUARE: 44.496, WIDE: 116.743},
        stride=4,
    ),
    # With the pass through its own backbone. The square is counted here alone.
    'RFP': Count(
        RFP, parameters=28_101_697, gflop={SQUARE: 167.773, WIDE: 440.41}, stride=4
    ),
    # To run it takes mmcv's compiled deformable convolution.
    'RFP with SAC': Count(RFP_WITH_SAC, parameters=42_971_170, gflop={}, stride=4),
    # Unpadded sizes, which that project cannot take, are counted here alone.
    'BiFPN, D0': Count(
        bifpn(64, 3, [512, 1024, 2048]),
        parameters=675_001,
        gflop={(512, 512): 0.929, SQUARE: 1.451, PADDED: 4.470, WIDE: 3.810},
    ),
    'BiFPN, D3': Count(
        bifpn(160, 6, [512, 1024, 2048]),
        parameters=2_716_594,
        gflop={(512, 512): 4.052, SQUARE: 6.331, PADDED: 19.500, WIDE: 16.630},
    ),
    'BiFPN, D7': Count(
        bifpn(384, 8, [512, 1024, 2048]),
        parameters=13_081_496,
        gflop={SQUARE: 32.576, WIDE: 85.589},
    ),
    'BiFPN, D0 on EfficientNet-B0': Count(
        bifpn(64, 3, [40, 112, 320]),
        parameters=196_281,
        gflop={(512, 512): 0.272},
    ),
    # The rest are counted here alone, to notice what changes. As in the paper:
    'MLFPN, 8 x 256': Count(
        {**MLFPN, 'ffm_channels': (256, 256, 256)},
        parameters=49_350_784,
        gflop={SQUARE: 163.950, WIDE: 430.689},
    ),
    # At about an FPN's cost.
    'MLFPN, 4 x 64': Count(
        {
            **MLFPN,
            'ffm_channels': (128, 128, 128),
            'num_levels': 4,
            'tum_channels': 64,
            'out_channels': 256,
        },
        parameters=2_747_728,
        gflop={SQUARE: 13.928, WIDE: 36.574},
    ),
    # RefineDet's.
    'TCB': Count(
        {'type': 'TCB', 'in_channels': [512, 512, 1024, 512]},
        parameters=11_407_104,
        gflop={(320, 320): 10.538, SQUARE: 42.153, WIDE: 110.706},
    ),
    # SSD300's.
    'SSDNeck': Count(
        {
            'type': 'SSDNeck',
            'in_channels': [512, 1024],
            'out_channels': [512, 1024, 512, 256, 256, 256],
            'level_strides': [2, 2, 1, 1],
            'level_paddings': [1, 1, 0, 0],
        },
        parameters=2_460_032,
        gflop={(300, 300): 0.461, SQUARE: 1.964, WIDE: 5.223},
    ),
}


def build(config: dict) -> nn.Module:
    with torch.device('meta'):
        return MODELS.build(deepcopy(config)).to('meta').eval()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def gflop(neck: nn.Module, count: Count, size: tuple[int, int]) -> float:
    inputs = []
    for index, channels in enumerate(count.neck['in_channels']):
        stride = count.stride * 2**index
        cells = [-(-side // stride) for side in size]
        inputs.append(torch.empty(1, channels, *cells, device='meta'))
    if count.neck['type'] == 'RFP':
        inputs.insert(0, torch.empty(1, 3, *size, device='meta'))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        neck(inputs)
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize('name', COUNTS)
def test_parameters_and_gflop(name: str) -> None:
    expected = COUNTS[name]
    neck = build(expected.neck)
    found = {size: gflop(neck, expected, size) for size in expected.gflop}

    assert count(neck) == expected.parameters
    assert found == pytest.approx(expected.gflop, rel=0.01)


@pytest.mark.parametrize(
    ('config', 'backbone'),
    [
        pytest.param(RFP, 24_429_120, id='plain'),
        pytest.param(RFP_WITH_SAC, 39_298_593, id='with SAC'),
    ],
)
def test_most_of_rfp_is_its_own_backbone(config: dict, backbone: int) -> None:
    parts = {name: count(part) for name, part in build(config).named_children()}

    assert parts.pop('lateral_convs') + parts.pop('fpn_convs') == 3_344_384
    assert parts == {'rfp_modules': backbone, 'rfp_aspp': 327_936, 'rfp_weight': 257}
