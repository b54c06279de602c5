"""Conversion of checkpoints of RefineDet's PyTorch port."""

import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional as F

from m2det_mmdet.convert import (
    ConversionError,
    convert,
    from_refinedet,
    from_release,
    to_refinedet,
    to_release,
)
from m2det_mmdet.models.necks import TCB

CONFIGS = Path(__file__).parents[2] / 'configs'
CLASSES, ANCHORS = 20, 3
MAPS = (512, 512, 1024, 512)
# Positions of VGG-16's convolutions by their width.
VGG = {
    64: (0, 2),
    128: (5, 7),
    256: (10, 12, 14),
    512: (17, 19, 21, 24, 26, 28),
    1024: (31, 33),
}
State = dict[str, Tensor]
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def model_of(name: str = 'refinedet_vgg_320_voc0712', **changes: object) -> Config:
    config = Config.fromfile(CONFIGS / 'refinedet' / f'{name}.py')
    config.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    config.model.backbone.init_cfg = None
    return config.model


def build(config: Config | None = None) -> nn.Module:
    with torch.device('meta'):
        return MODELS.build(config or model_of())


@cache
def detector() -> nn.Module:
    return build()


def port_shapes(classes: int = CLASSES, width: int = 256) -> Shapes:
    """Names and shapes as the port's code gives them."""

    def conv(name: str, inputs: int, outputs: int, size: int = 3) -> Shapes:
        yield f'{name}.weight', (outputs, inputs, size, size)
        yield f'{name}.bias', (outputs,)

    inputs = 3
    for outputs, positions in VGG.items():
        for index in positions:
            size = 1 if index == 33 else 3
            yield from conv(f'vgg.{index}', inputs, outputs, size)
            inputs = outputs
    yield 'conv4_3_L2Norm.weight', (512,)
    yield 'conv5_3_L2Norm.weight', (512,)
    yield from conv('extras.0', 1024, 256, size=1)
    yield from conv('extras.1', 256, 512)
    for i, channels in enumerate(MAPS):
        yield from conv(f'arm_loc.{i}', channels, 4 * ANCHORS)
        yield from conv(f'arm_conf.{i}', channels, 2 * ANCHORS)
        yield from conv(f'odm_loc.{i}', width, 4 * ANCHORS)
        yield from conv(f'odm_conf.{i}', width, (classes + 1) * ANCHORS)
        yield from conv(f'tcb0.{3 * i}', channels, width)
        yield from conv(f'tcb0.{3 * i + 2}', width, width)
        yield from conv(f'tcb2.{3 * i + 1}', width, width)
        if i < 3:
            yield from conv(f'tcb1.{i}', width, width, size=2)


def ported(**form: int) -> State:
    """A state dict of which each tensor has a value of its own, and each class too."""
    state = {}
    for start, (name, shape) in enumerate(port_shapes(**form), start=1):
        value = torch.tensor(float(start)).expand(shape)
        if '_conf.' in name:
            value = torch.arange(math.prod(shape)).view(shape) + float(start)
        state[name] = value
    return state


def zeros(model: nn.Module) -> State:
    """A state dict of ``model``, of no size in memory."""
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def assert_same(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(('classes', 'count'), [(20, 34_440_884), (80, 36_100_484)])
def test_the_tensors_are_those_of_the_port(classes: int, count: int) -> None:
    model = build(model_of(**{'bbox_head.num_classes': classes}))
    theirs = {
        name: tuple(x.shape) for name, x in to_refinedet(zeros(model), model).items()
    }

    assert theirs == dict(port_shapes(classes))
    assert sum(map(math.prod, theirs.values())) == count


def test_there_and_back_is_the_same() -> None:
    model, port = detector(), ported()
    ours = from_refinedet({f'module.{name}': x for name, x in port.items()}, model)

    assert ours.keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        assert ours[name].shape == value.shape, name
        assert ours[name].is_contiguous(), name
    assert_same(to_refinedet(ours, model), port)
    # A RefineDet tells whose checkpoints are its own.
    assert_same(convert(port, model).state_dict, ours)


PLACES = {
    'backbone.features.31.weight': 'vgg.31.weight',
    'backbone.l2_norms.0.weight': 'conv4_3_L2Norm.weight',
    'backbone.l2_norms.1.weight': 'conv5_3_L2Norm.weight',
    'backbone.extra.0.bias': 'extras.0.bias',
    'backbone.extra.2.weight': 'extras.1.weight',
    'neck.blocks.0.lateral.0.conv.weight': 'tcb0.0.weight',
    'neck.blocks.0.lateral.1.conv.weight': 'tcb0.2.weight',
    'neck.blocks.3.lateral.0.conv.bias': 'tcb0.9.bias',
    'neck.blocks.3.lateral.1.conv.bias': 'tcb0.11.bias',
    # The deconvolution that enlarges the coarsest output.
    'neck.blocks.2.deconv.weight': 'tcb1.2.weight',
    'neck.blocks.0.output.conv.weight': 'tcb2.1.weight',
    'neck.blocks.3.output.conv.weight': 'tcb2.10.weight',
    'arm_head.reg_convs.2.0.weight': 'arm_loc.2.weight',
    'bbox_head.reg_convs.3.0.bias': 'odm_loc.3.bias',
}


def test_every_tensor_has_its_place() -> None:
    port = ported()
    ours = from_refinedet(port, detector())

    for name, theirs in PLACES.items():
        assert torch.equal(ours[name], port[theirs]), name


@pytest.mark.parametrize(
    ('head', 'name', 'classes'),
    [('arm_head', 'arm_conf', 2), ('bbox_head', 'odm_conf', CLASSES + 1)],
)
def test_the_background_moves_to_the_end_of_each_anchor(
    head: str, name: str, classes: int
) -> None:
    port = ported()
    # Class c of anchor a is c + 100 * a; 0 is the background.
    rows = [c + 100.0 * a for a in range(ANCHORS) for c in range(classes)]
    port[f'{name}.1.bias'] = torch.tensor(rows)
    ours = from_refinedet(port, detector())

    moved = [c + 100.0 * a for a in range(ANCHORS) for c in (*range(1, classes), 0)]
    assert ours[f'{head}.cls_convs.1.0.bias'].tolist() == moved


def test_our_head_gives_the_logits_of_the_port() -> None:
    port = ported()
    names = [name for name in port if name.startswith('odm_')]
    torch.manual_seed(0)
    port.update({name: torch.randn(port[name].shape).double() for name in names})
    head = build().bbox_head.to_empty(device='cpu').double()
    ours = from_refinedet(port, detector())
    head.load_state_dict(
        {
            name.removeprefix('bbox_head.'): value
            for name, value in ours.items()
            if name.startswith('bbox_head.')
        }
    )
    maps = [torch.randn(1, 256, size, size).double() for size in (4, 3, 2, 1)]

    scores, deltas, *_ = head((maps, [], []))

    for i, (x, score, delta) in enumerate(zip(maps, scores, deltas, strict=True)):
        loc, conf = (
            F.conv2d(x, port[f'{name}.{i}.weight'], port[f'{name}.{i}.bias'], 1, 1)
            for name in ('odm_loc', 'odm_conf')
        )
        torch.testing.assert_close(delta, loc)
        score, conf = (y.unflatten(1, (ANCHORS, CLASSES + 1)) for y in (score, conf))
        torch.testing.assert_close(score[:, :, -1], conf[:, :, 0])
        torch.testing.assert_close(score[:, :, :-1], conf[:, :, 1:])


@pytest.mark.parametrize(
    ('form', 'hint'),
    [
        ({'classes': 80}, 'num_classes=80, the config 20: set model.bbox_head.num_cla'),
        ({'width': 128}, 'out_channels=128, the config 256: set model.neck.out_channe'),
    ],
)
def test_another_setting_is_named(form: dict, hint: str) -> None:
    with pytest.raises(ConversionError, match=hint) as error:
        from_refinedet(ported(**form), detector())

    message = str(error.value)
    assert message.startswith(
        'The PyTorch port checkpoint does not fit the model: of 98 '
    )
    assert message.count('The checkpoint has ') == 1
    assert message.endswith('port of RefineDet, take its config: refinedet_vgg_*.')


def test_a_misfit_is_listed_in_full() -> None:
    port = ported()
    del port['conv5_3_L2Norm.weight']
    port['tcb2.13.weight'] = port.pop('tcb2.10.weight')
    port['arm_loc.1.bias'] = torch.zeros(5)
    port['tcb1.0.weight'] = torch.zeros(9)

    with pytest.raises(ConversionError) as error:
        from_refinedet(port, detector())

    assert error.value.missing == ['conv5_3_L2Norm.weight', 'tcb2.10.weight']
    assert error.value.unexpected == ['tcb2.13.weight']
    assert error.value.misshapen == [
        ('arm_loc.1.bias', (5,), (12,)),
        ('tcb1.0.weight', (9,), (256, 256, 2, 2)),
    ]


def test_values_that_are_not_finite_are_named() -> None:
    port = ported()
    port['tcb1.2.bias'] = torch.full((256,), math.nan)

    with pytest.raises(ConversionError, match=r'finite.\n  tcb1.2.bias'):
        from_refinedet(port, detector())


def test_checkpoints_of_the_other_release_are_named() -> None:
    m2det = {'unet1.toplayer.0.conv.weight': torch.zeros(1)}
    message = 'names are those of the authors.* release of M2Det: .* m2det_.*_release'
    with pytest.raises(ConversionError, match=message):
        from_refinedet(m2det, detector())

    config = Config.fromfile(CONFIGS / '_base_' / 'models' / 'm2det_r18_narrow.py')
    config.model.neck.share_leach = True
    message = 'names are those of the PyTorch port of RefineDet: .* refinedet_vgg_'
    with pytest.raises(ConversionError, match=message):
        from_release(ported(), build(config.model))


def test_a_converted_checkpoint_is_not_converted_again() -> None:
    with pytest.raises(ConversionError, match='convert with --to-release'):
        from_refinedet(zeros(detector()), detector())
    with pytest.raises(ConversionError, match='convert without --to-release'):
        to_refinedet(ported(), detector())


class OtherTCB(TCB):
    pass


def other_neck() -> nn.Module:
    model = build()
    model.neck.__class__ = OtherTCB
    return model


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (
            lambda: build(model_of('refinedet_r101_320')),
            'port knows RefineDetVGG as model.backbone, got RefineDetResNet',
        ),
        (
            other_neck,
            "The PyTorch port's network has model.neck.type=TCB, got OtherTCB",
        ),
        (
            lambda: build(model_of(**{'neck.norm_cfg': {'type': 'BN'}})),
            'neck.blocks.0.lateral.0.bn.weight',
        ),
        (
            lambda: build(model_of(**{'bbox_head.loss_cls': {'type': 'FocalLoss'}})),
            'has model.bbox_head.loss_cls.type=CrossEntropyLoss, got FocalLoss',
        ),
        (
            lambda: build(model_of(**{'bbox_head.num_shared_convs': 1})),
            'bbox_head.shared_convs.convs.0.weight',
        ),
        (
            lambda: build(model_of(**{'bbox_head.stacked_convs': 1})),
            'bbox_head.cls_convs.0.1.weight',
        ),
    ],
)
@pytest.mark.parametrize('function', [from_refinedet, to_refinedet])
def test_models_that_the_port_lacks_are_refused(
    function: Callable, make: Callable[[], nn.Module], message: str
) -> None:
    with pytest.raises(ConversionError, match=re.escape(message)):
        function(ported(), make())


@pytest.mark.parametrize('function', [from_release, to_release])
def test_a_refinedet_has_no_form_in_the_release_of_m2det(function: Callable) -> None:
    with pytest.raises(ConversionError, match='MLFPN as model.neck, got TCB'):
        function(ported(), detector())
