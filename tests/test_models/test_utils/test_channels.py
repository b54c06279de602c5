from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from m2det_mmdet.models.utils.channels import follow_backbone, map_channels

NARROW = {'type': 'ResNet', 'depth': 18, 'base_channels': 4, 'stem_channels': 4}
MLFPN = {'type': 'MLFPN', 'num_levels': 1}


@pytest.mark.parametrize(
    ('backbone', 'expected'),
    [
        ({**NARROW, 'out_indices': (1, 3)}, [8, 32]),
        (
            {**NARROW, 'type': 'RefineDetResNet', 'extra_channels': (6,)},
            [8, 16, 32, 6],
        ),
        ({'type': 'SwinTransformer', 'depths': (1, 1, 1, 1)}, [96, 192, 384, 768]),
        ({'type': 'MobileNetV2', 'widen_factor': 0.25}, [8, 8, 24, 1280]),
        # That of its last layer, which is no list of its maps.
        ({'type': 'EfficientNet', 'arch': 'b0', 'out_indices': (3, 4)}, [40, 112]),
    ],
    ids=lambda case: case['type'] if isinstance(case, dict) else None,
)
def test_the_channels_of_any_backbone_are_found(
    backbone: dict, expected: list[int]
) -> None:
    assert map_channels(MODELS.build(backbone)) == expected


def test_a_trial_changes_neither_weights_nor_statistics() -> None:
    backbone = MODELS.build(NARROW)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    random = torch.get_rng_state()

    map_channels(backbone)

    after = backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(value.device.type == 'cpu' for value in after.values())
    assert torch.equal(torch.get_rng_state(), random)


class Odd(nn.Module):
    """A backbone that takes no images of three channels."""

    def forward(self, x: Tensor) -> list[Tensor]:
        raise RuntimeError(f'{x.shape[1]} channels')


def test_a_backbone_that_cannot_be_tried_is_named() -> None:
    message = (
        r'The neck has no in_channels, and what Odd makes could not be found '
        r'\(RuntimeError: 3 channels\): give in_channels of the neck.'
    )
    with pytest.raises(ValueError, match=message):
        follow_backbone(MLFPN, Odd())


class Declared(nn.Module):
    out_channels = (5, 7)


def test_the_first_neck_of_a_chain_follows() -> None:
    last = {'type': 'FPN', 'in_channels': [9], 'out_channels': 5, 'num_outs': 3}
    chain = [MLFPN, last]

    assert follow_backbone(MLFPN, Declared()) == {**MLFPN, 'in_channels': [5, 7]}
    emptied = {**MLFPN, 'in_channels': None}
    assert follow_backbone(emptied, Declared())['in_channels'] == [5, 7]
    assert follow_backbone(chain, Declared()) == [
        {**MLFPN, 'in_channels': [5, 7]},
        last,
    ]
    assert 'in_channels' not in MLFPN


@pytest.mark.parametrize(
    'neck',
    [
        {**MLFPN, 'in_channels': (1, 2)},
        # One that needs none.
        {'type': nn.Identity},
        # The registry tells what is wrong.
        {'type': 'NoSuchNeck'},
    ],
)
def test_other_necks_stay_as_they_are(neck: dict[str, Any]) -> None:
    assert follow_backbone(neck, Odd()) is neck
