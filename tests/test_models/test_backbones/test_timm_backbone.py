import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from m2det_mmdet.checkpoints import CheckpointError, WeightsError
from m2det_mmdet.compat.environment import PackagesError
from m2det_mmdet.models.acceleration import accelerate
from m2det_mmdet.models.backbones import TimmBackbone
from m2det_mmdet.models.backbones.timm_backbone import TimmError

needs_timm = pytest.mark.usefixtures('with_timm')
# The name of a small network, further arguments, and its maps.
CASES = [
    ('resnet10t', {'strides': (8, 16, 32)}, [2, 3, 4], [128, 256, 512], [8, 16, 32]),
    # Layer 4 does not shrink its map, which is the deepest at stride 16.
    (
        'resnet10t',
        {'strides': (8, 16), 'output_stride': 16},
        [2, 4],
        [128, 512],
        [8, 16],
    ),
    (
        'tf_efficientnet_lite0',
        {'strides': (8, 16, 32)},
        [2, 3, 4],
        [40, 112, 320],
        [8, 16, 32],
    ),
    ('convnext_atto', {'out_indices': (0, 2)}, [0, 2], [40, 160], [4, 16]),
    # The network itself has its channels last.
    (
        'swin_tiny_patch4_window7_224',
        {'strides': (8, 16), 'img_size': 96},
        [1, 2],
        [192, 384],
        [8, 16],
    ),
    # All maps of a transformer have one stride.
    (
        'vit_tiny_patch16_224',
        {'out_indices': (2, 5), 'img_size': 96},
        [2, 5],
        [192, 192],
        [16, 16],
    ),
    (
        'mobilenetv4_conv_small_050',
        {},
        [0, 1, 2, 3, 4],
        [32, 16, 32, 48, 480],
        [2, 4, 8, 16, 32],
    ),
]


@needs_timm
@pytest.mark.parametrize(
    ('name', 'options', 'indices', 'channels', 'strides'),
    CASES,
    ids=[f'{case[0]}-{number}' for number, case in enumerate(CASES)],
)
def test_it_gives_the_maps_that_it_declares(
    name: str,
    options: dict[str, Any],
    indices: list[int],
    channels: list[int],
    strides: list[int],
) -> None:
    backbone = TimmBackbone(name, **options)
    maps = backbone(torch.rand(2, 3, 96, 96))
    sum(x.square().mean() for x in maps).backward()

    assert (backbone.out_indices, backbone.out_channels) == (indices, channels)
    assert backbone.strides == strides
    assert [tuple(x.shape) for x in maps] == [
        (2, count, 96 // stride, 96 // stride)
        for count, stride in zip(channels, strides, strict=True)
    ]
    # What no map needs is gone.
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


@needs_timm
def test_its_maps_are_those_of_the_whole_network() -> None:
    import timm

    backbone = TimmBackbone('resnet10t', strides=(8, 32)).eval()
    whole = timm.create_model('resnet10t', features_only=True, out_indices=(2, 4))
    whole.load_state_dict(backbone.network.state_dict())
    images = torch.rand(1, 3, 70, 90)

    with torch.no_grad():
        found, expected = backbone(images), whole.eval()(images)
    assert [tuple(x.shape[2:]) for x in found] == [(9, 12), (3, 3)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@needs_timm
def test_frozen_stages_do_not_learn_and_keep_their_statistics() -> None:
    backbone = TimmBackbone('resnet10t', out_indices=(2, 3), frozen_stages=1).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    sum(x.mean() for x in backbone(torch.rand(2, 3, 64, 64))).backward()

    learning = {
        n.split('.')[1] for n, p in backbone.named_parameters() if p.requires_grad
    }
    assert learning == {'layer2', 'layer3'}
    after = backbone.state_dict()
    changed = {
        name.split('.')[1] for name in before if (before[name] != after[name]).any()
    }
    assert changed == {'layer2', 'layer3'}


@needs_timm
@pytest.mark.parametrize(('norm_eval', 'changes'), [(True, False), (False, True)])
def test_norms_in_eval_mode_keep_their_statistics(
    norm_eval: bool, changes: bool
) -> None:
    backbone = TimmBackbone('resnet10t', norm_eval=norm_eval).train()
    before = backbone.network.layer4[0].bn1.running_mean.clone()
    backbone(torch.rand(2, 3, 64, 64))

    assert (backbone.network.layer4[0].bn1.running_mean != before).any() == changes
    assert all(p.requires_grad for p in backbone.parameters())
    assert backbone.eval().network.layer4[0].bn1.training is False


def saved(path: Path, network: nn.Module, **changes: Any) -> str:
    """Save the weights of a network, with some changed or, as None, left out."""
    weights = {**network.state_dict(), **changes}
    torch.save({k: v for k, v in weights.items() if v is not None}, path)
    return str(path)


@pytest.fixture
def resnet(with_timm: None) -> nn.Module:
    import timm

    return timm.create_model('resnet10t', num_classes=7)


@needs_timm
def test_a_checkpoint_of_a_classifier_loads(tmp_path: Path, resnet: nn.Module) -> None:
    path = saved(tmp_path / 'resnet.pth', resnet)
    backbone = TimmBackbone('resnet10t', strides=(8, 16), checkpoint=path)
    assert not torch.equal(backbone.network.conv1[0].weight, resnet.conv1[0].weight)

    backbone.init_weights()

    own = backbone.network.state_dict()
    assert not any(name.startswith(('fc.', 'layer4.')) for name in own)
    weights = resnet.state_dict()
    assert all(torch.equal(own[name], weights[name]) for name in own)


@needs_timm
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'conv1.0.weight': None}, r'of 55 tensors it lacks 1 \(conv1.0.weight\)'),
        ({'bn1.weight': torch.ones(3)}, r'1 \(bn1.weight\) of another shape'),
        (
            {'layer1.3.conv1.weight': torch.ones(1)},
            r'which has no layer1.3.conv1.weight \(1 such',
        ),
    ],
)
def test_checkpoints_of_others_are_named(
    tmp_path: Path, resnet: nn.Module, change: dict, message: str
) -> None:
    path = saved(tmp_path / 'other.pth', resnet, **change)
    backbone = TimmBackbone('resnet10t', strides=(8, 16), checkpoint=path)

    with pytest.raises(WeightsError, match=f'{path}.*resnet10t.*{message}'):
        backbone.init_weights()


@needs_timm
def test_weights_of_the_hub_are_timms_to_load(
    monkeypatch: pytest.MonkeyPatch, resnet: nn.Module
) -> None:
    import timm

    asked = []

    def create(name: str, **options: Any) -> nn.Module:
        asked.append((name, options))
        return resnet

    backbone = TimmBackbone('resnet10t', strides=(8,), pretrained=True)
    monkeypatch.setattr(timm, 'create_model', create)
    backbone.init_weights()

    assert asked == [('resnet10t', {'in_chans': 3, 'pretrained': True})]
    assert torch.equal(backbone.network.conv1[0].weight, resnet.conv1[0].weight)

    def fail(name: str, **options: Any) -> nn.Module:
        raise OSError('no route')

    monkeypatch.setattr(timm, 'create_model', fail)
    message = "resnet10t cannot be had from timm's hub .*no route.* give a file"
    with pytest.raises(CheckpointError, match=message):
        backbone.init_weights()


@needs_timm
@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('convnext_tinny', {}, 'no network convnext_tinny: did you mean convnext_tiny'),
        ('resnet10t.bogus', {}, r'no weights resnet10t.bogus: .* it has resnet10t\.'),
        ('qqqq', {}, r'no network qqqq: timm.list_models\(\) names all'),
        (
            'resnet10t',
            {'strides': (8, 64)},
            r'strides \[2, 4, 8, 16, 32\], and none of \[64\]: .* strides=\[8, 64\]',
        ),
        ('resnet10t', {'out_indices': (3, 5)}, r'5 maps, 0 to 4, .* are \[3, 5\]'),
        ('resnet10t', {'out_indices': ()}, r'5 maps, 0 to 4, .* are \[\]'),
        (
            'resnet10t',
            {'out_indices': (1, 2), 'frozen_stages': 3},
            'deepest map that resnet10t gives is 2, and frozen_stages is 3',
        ),
        (
            'resnet10t',
            {'depth': 9},
            r"cannot make resnet10t with .*'depth': 9.*TypeError",
        ),
        (
            'mvitv2_tiny',
            {'frozen_stages': 1},
            'not tell which part of mvitv2_tiny makes its map block.1',
        ),
    ],
)
def test_what_timm_does_not_have_is_named_when_it_is_built(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TimmError, match=message):
        TimmBackbone(name, **options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'pretrained': True, 'checkpoint': 'x.pth'},
            'one thing only, and checkpoint and pretrained are given',
        ),
        (
            {'checkpoint': 'x.pth', 'init_cfg': {'type': 'Pretrained'}},
            'checkpoint and init_cfg are given',
        ),
        (
            {'out_indices': (1, 2), 'strides': (8,)},
            r'out_indices=\[1, 2\] and by strides=\[8\]: leave one',
        ),
        (
            {'checkpoint_path': 'x.pth'},
            'resnet10t takes no checkpoint_path: give a file or URL as checkpoint',
        ),
    ],
)
def test_arguments_that_contradict_each_other_or_read_files_are_named(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TimmError, match=message):
        TimmBackbone('resnet10t', **options)


def test_without_timm_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As Python tells of a module that was not found.
    class Nowhere:
        def find_spec(self, name: str, *_: object) -> None:
            if name == 'timm':
                raise ModuleNotFoundError("No module named 'timm'", name='timm')

    for name in [x for x in sys.modules if x.split('.')[0] == 'timm']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, 'meta_path', [Nowhere(), *sys.meta_path])

    with pytest.raises(
        PackagesError, match=r'needs timm, .* `pip install "m2det\[timm'
    ):
        TimmBackbone('resnet10t')


def test_a_torchvision_for_another_pytorch_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / 'timm.py').write_text("raise RuntimeError('operator nms')\n")
    for name in [x for x in sys.modules if x.split('.')[0] == 'timm']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))

    message = (
        r'cannot be imported \(RuntimeError: operator nms.*install the torchvision'
    )
    with pytest.raises(PackagesError, match=message):
        TimmBackbone('resnet10t')


@needs_timm
def test_acceleration_changes_no_map() -> None:
    backbone = TimmBackbone('tf_efficientnet_lite0', strides=(8, 32)).eval()
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = backbone(images)
        found = accelerate(backbone)(images)

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@needs_timm
def test_neck_and_head_follow_it() -> None:
    config = Config.fromfile(
        Path(__file__).parents[3] / 'configs' / 'm2det' / 'm2det_r18_bccd.py'
    )
    config.model.backbone = {
        'type': 'TimmBackbone',
        'name': 'resnet10t',
        'strides': (8, 16, 32),
    }
    config.model.neck = {
        'type': 'MLFPN',
        'ffm_channels': (8, 8, 8),
        'num_levels': 1,
        'tum_channels': 8,
        'sfam_reduction': 2,
    }
    model = MODELS.build(config.model).eval()
    image = torch.rand(1, 3, 320, 320)

    fused = model.neck.base_fusion.state_dict()
    assert [x.shape[1] for n, x in fused.items() if n.endswith('conv.weight')] == [
        128,
        256,
        512,
    ]
    assert model.bbox_head.in_channels == [8] * 6
    with torch.no_grad():
        scores, _ = model.bbox_head(model.extract_feat(image))
    assert [tuple(x.shape[2:]) for x in scores] == [
        (side, side) for side in (40, 20, 10, 5, 3, 1)
    ]
