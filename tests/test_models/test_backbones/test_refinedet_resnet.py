from pathlib import Path

import pytest
import torch

from m2det_mmdet.models.backbones import RefineDetResNet

NARROW = {
    'depth': 18,
    'base_channels': 4,
    'stem_channels': 4,
    'num_stages': 3,
    'strides': (1, 2, 2),
    'dilations': (1, 1, 1),
    'out_indices': (1, 2),
}


def test_resnet_101_has_the_maps_and_the_block_of_the_authors() -> None:
    with torch.device('meta'):
        model = RefineDetResNet(101)
    maps = model(torch.empty(1, 3, 320, 320, device='meta'))

    assert model.out_channels == (512, 1024, 2048, 512)
    assert [tuple(x.shape[1:]) for x in maps] == [
        (channels, side, side)
        for channels, side in zip(model.out_channels, (40, 20, 10, 5), strict=True)
    ]
    added = sum(x.numel() for x in model.extra.parameters())
    # res6: 1x1 to 128, 3x3, 1x1 to 512, a projection; each with its norm.
    convolutions = 2048 * 128 + 9 * 128 * 128 + 128 * 512 + 2048 * 512
    assert added == convolutions + 2 * (128 + 128 + 512 + 512)
    # The rest is ResNet-101 without its classifier.
    rest = sum(x.numel() for x in model.parameters()) - added
    assert rest == 42_500_160


def test_further_blocks_follow_a_short_resnet() -> None:
    torch.manual_seed(0)
    model = RefineDetResNet(**NARROW, extra_channels=(6, 10))
    model.init_weights()
    model.eval()
    images = torch.rand(1, 3, 70, 90)
    maps = model(images)

    assert [tuple(x.shape[1:]) for x in maps] == [
        (8, 9, 12),
        (16, 5, 6),
        (6, 3, 3),
        (10, 2, 2),
    ]
    assert model.out_channels == (8, 16, 6, 10)
    torch.testing.assert_close(maps[2], model.extra[0](maps[1]))
    torch.testing.assert_close(maps[3], model.extra[1](maps[2]))
    assert maps[3].std() > 0


def test_further_blocks_have_weights_of_their_own_beside_pretrained(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    narrow = {**NARROW, 'extra_channels': (6,), 'norm_eval': False}
    trained = RefineDetResNet(**narrow)
    path = tmp_path / 'resnet.pth'
    weights = trained.state_dict()
    torch.save({k: x for k, x in weights.items() if 'extra' not in k}, path)
    model = RefineDetResNet(
        **narrow, init_cfg={'type': 'Pretrained', 'checkpoint': str(path)}
    )
    block = model.extra[0][0]
    torch.nn.init.zeros_(block.conv2.weight)
    torch.nn.init.zeros_(block.bn2.weight)
    model.init_weights()

    assert torch.equal(model.conv1.weight, trained.conv1.weight)
    # Kaiming's normal distribution of what 6 channels of 3x3 give.
    assert block.conv2.weight.std().item() == pytest.approx((2 / 54) ** 0.5, rel=0.2)
    assert (block.bn2.weight == 1).all()


def test_the_last_stage_has_to_be_given() -> None:
    with pytest.raises(
        ValueError, match=r'last stage, 2: add it to out_indices=\(0, 1\)'
    ):
        RefineDetResNet(**{**NARROW, 'out_indices': (0, 1)})


def test_a_block_makes_a_multiple_of_its_expansion() -> None:
    with pytest.raises(ValueError, match=r'ResNet-50 must be multiples of 4.*\(6,\)'):
        RefineDetResNet(50, extra_channels=(6,))
