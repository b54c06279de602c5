"""Conversion of the authors' checkpoints, on narrow networks of their form."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional as F

from m2det_mmdet.convert import ConversionError, convert, from_release, to_release

BASE = Path(__file__).parents[2] / 'configs' / '_base_' / 'models'
CLASSES, ANCHORS, LEVELS, SCALES, WIDTH = 3, 4, 3, 4, 8
NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
State = dict[str, Tensor]


def build(config: str = 'm2det_r18_narrow', **neck: object) -> nn.Module:
    """A detector of the release's form, with what ``neck`` changes."""
    cfg = Config.fromfile(BASE / f'{config}.py').model
    cfg.backbone.init_cfg = None
    if config == 'm2det_r18_narrow':
        cfg.backbone.update(base_channels=4, stem_channels=4)
        cfg.neck.in_channels = (8, 16)
    cfg.neck = {
        **cfg.neck,
        'ffm_channels': (6, 10),
        'num_levels': LEVELS,
        'num_scales': SCALES,
        'tum_channels': WIDTH,
        'share_leach': True,
        'extra_norm': True,
        'sfam': False,
        'sfam_reduction': 4,
        **neck,
    }
    cfg.bbox_head.num_classes = CLASSES
    anchors = cfg.bbox_head.anchor_generator
    anchors.update(ratios=[2], steps=None)
    anchors.sizes = [0.1 * (i + 1) for i in range(cfg.neck.num_scales + 1)]
    with torch.device('meta'):
        return MODELS.build(cfg)


def release_shapes(
    *,
    levels: int = LEVELS,
    scales: int = SCALES,
    classes: int = CLASSES,
    smooth: bool = True,
    sfam: bool = False,
    norm: bool = True,
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes as the release's code gives them to the network of `build`."""

    def batch_norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        for tensor in NORM:
            yield f'{name}.{tensor}', () if tensor == NORM[-1] else (width,)

    def conv_bn(
        name: str, inputs: int, outputs: int, size: int
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f'{name}.conv.weight', (outputs, inputs, size, size)
        yield from batch_norm(f'{name}.bn', outputs)

    yield 'base.conv1.weight', (4, 3, 7, 7)
    yield from batch_norm('base.bn1', 4)
    for stage, width in enumerate((4, 8, 16), start=1):
        for block in range(2):
            name = f'base.layer{stage}.{block}'
            shrinks = stage > 1 and block == 0
            inputs = width // 2 if shrinks else width
            yield f'{name}.conv1.weight', (width, inputs, 3, 3)
            yield from batch_norm(f'{name}.bn1', width)
            yield f'{name}.conv2.weight', (width, width, 3, 3)
            yield from batch_norm(f'{name}.bn2', width)
            if shrinks:
                yield f'{name}.downsample.0.weight', (width, inputs, 1, 1)
                yield from batch_norm(f'{name}.downsample.1', width)
    yield from conv_bn('reduce', 8, 6, 3)
    yield from conv_bn('up_reduce', 16, 10, 1)
    for level in range(levels):
        yield from conv_bn(f'leach.{level}', 16, WIDTH // 2, 1)
        unet, entry = f'unet{level + 1}', WIDTH // 2 + (WIDTH if level else 0)
        yield from conv_bn(f'{unet}.toplayer.0', WIDTH, WIDTH, 1)
        for i in range(scales - 1):
            yield from conv_bn(f'{unet}.layers.{i}', WIDTH if i else entry, WIDTH, 3)
            # The last lateral layer sees the TUM's input.
            inputs = entry if i == scales - 2 else WIDTH
            yield from conv_bn(f'{unet}.latlayer.{i}', inputs, WIDTH, 3)
            if smooth:
                yield from conv_bn(f'{unet}.smooth.{i}', WIDTH, WIDTH, 1)
    pyramid = levels * WIDTH
    if norm:
        yield from batch_norm('Norm', pyramid)
    for scale in range(scales):
        rows = {'loc': 4 * ANCHORS, 'conf': (classes + 1) * ANCHORS}
        for name, count in rows.items():
            yield f'{name}.{scale}.weight', (count, pyramid, 3, 3)
            yield f'{name}.{scale}.bias', (count,)
        squeezed = {'fc1': (pyramid // 4, pyramid), 'fc2': (pyramid, pyramid // 4)}
        for name, (outputs, inputs) in squeezed.items() if sfam else ():
            yield f'sfam_module.{name}.{scale}.weight', (outputs, inputs, 1, 1)
            yield f'sfam_module.{name}.{scale}.bias', (outputs,)


def released(**form: object) -> State:
    """A state dict in which no two tensors are equal but those of shared layers."""
    state: State = {}
    start = 0
    for name, shape in release_shapes(**form):
        shared = re.sub(r'^(leach|sfam_module\.fc\d)\.\d+', r'\1.0', name)
        count = math.prod(shape)
        if shared in state:
            state[name] = state[shared]
        elif name.endswith(NORM[-1]):
            state[name] = torch.tensor(start)
        else:
            state[name] = torch.arange(start, start + count).view(shape) / 1000
        start += count
    return state


def assert_same(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(
    ('form', 'neck'),
    [
        ({}, {}),
        ({}, {'share_leach': False}),
        ({'levels': 1, 'scales': 2}, {'num_levels': 1, 'num_scales': 2}),
        ({'smooth': False}, {'smooth': False}),
        ({'norm': False}, {'extra_norm': False}),
        ({'sfam': True}, {'sfam': True, 'share_sfam': True}),
        ({'sfam': True}, {'sfam': True, 'share_sfam': False}),
    ],
)
def test_there_and_back_is_the_same(form: dict, neck: dict) -> None:
    model, release = build(**neck), released(**form)

    ours = from_release(release, model)
    model.to_empty(device='cpu').load_state_dict(ours, strict=True)

    assert_same(ours, model.state_dict())
    assert_same(to_release(model.state_dict(), model), release)


# With 4 scales the release's three lateral and smoothing convolutions count from the
# small maps, ours from the large ones.
PLACES = {
    'backbone.conv1.weight': 'base.conv1.weight',
    'backbone.layer3.0.downsample.1.bias': 'base.layer3.0.downsample.1.bias',
    'neck.base_fusion.reduce.0.conv.weight': 'reduce.conv.weight',
    'neck.base_fusion.reduce.1.bn.bias': 'up_reduce.bn.bias',
    'neck.level_fusions.0.leach.conv.weight': 'leach.2.conv.weight',
    'neck.tums.0.encoder.2.conv.weight': 'unet1.layers.2.conv.weight',
    'neck.tums.0.lateral.0.conv.weight': 'unet1.latlayer.2.conv.weight',
    'neck.tums.2.lateral.2.bn.weight': 'unet3.latlayer.0.bn.weight',
    'neck.tums.1.smooth.0.conv.weight': 'unet2.smooth.2.conv.weight',
    'neck.tums.1.smooth.1.conv.weight': 'unet2.smooth.1.conv.weight',
    'neck.tums.1.top.conv.weight': 'unet2.toplayer.0.conv.weight',
    'neck.aggregation.attention.0.conv1.conv.weight': 'sfam_module.fc1.3.weight',
    'neck.aggregation.attention.0.conv2.conv.bias': 'sfam_module.fc2.1.bias',
    'neck.norm.running_mean': 'Norm.running_mean',
    'bbox_head.reg_convs.3.0.weight': 'loc.3.weight',
}


def test_every_tensor_has_its_place() -> None:
    model = build(sfam=True, share_sfam=True)
    release = released(sfam=True)

    ours = from_release(release, model)

    for name, theirs in PLACES.items():
        assert torch.equal(ours[name], release[theirs]), name


def test_the_background_moves_to_the_end_of_each_anchor() -> None:
    release = released()
    # Class c of anchor a is c + 10 * a; 0 is the background.
    rows = [c + 10.0 * a for a in range(ANCHORS) for c in range(CLASSES + 1)]
    release['conf.1.bias'] = torch.tensor(rows)
    ours = from_release(release, build())

    moved = [c + 10.0 * a for a in range(ANCHORS) for c in (1, 2, 3, 0)]
    assert ours['bbox_head.cls_convs.1.0.bias'].tolist() == moved


def test_our_head_gives_the_logits_of_the_release() -> None:
    release = {name: torch.randn(value.shape) for name, value in released().items()}
    for name in release:
        if name.startswith('leach.'):
            release[name] = release['leach.0.' + name.split('.', 2)[2]]
    model = build()
    ours = from_release(release, model)
    head = model.bbox_head.to_empty(device='cpu')
    head.load_state_dict(
        {
            name.removeprefix('bbox_head.'): value
            for name, value in ours.items()
            if name.startswith('bbox_head.')
        }
    )
    maps = [torch.randn(2, LEVELS * WIDTH, size, size) for size in (5, 3, 2, 1)]

    scores, deltas = head(maps)

    for i, (x, score, delta) in enumerate(zip(maps, scores, deltas, strict=True)):
        loc, conf = (
            F.conv2d(
                x, release[f'{name}.{i}.weight'], release[f'{name}.{i}.bias'], 1, 1
            )
            for name in ('loc', 'conf')
        )
        torch.testing.assert_close(delta, loc)
        score, conf = (y.unflatten(1, (ANCHORS, CLASSES + 1)) for y in (score, conf))
        torch.testing.assert_close(score[:, :, -1], conf[:, :, 0])
        torch.testing.assert_close(score[:, :, :-1], conf[:, :, 1:])


def test_names_of_data_parallel_old_files_and_the_classifier() -> None:
    """A file as PyTorch 0.4 wrote it from a ResNet on several GPUs."""
    model, release = build(), released()
    old = {
        f'module.{name}': value
        for name, value in release.items()
        if not name.endswith(NORM[-1])
    }
    old['module.base.fc.weight'] = torch.full((1000, 16), math.nan)

    conversion = convert(old, model)

    ours = from_release(release, model)
    counters = {name for name in ours if name.endswith(NORM[-1])}
    assert conversion.ignored == ('base.fc.weight',)
    assert set(conversion.filled) == {
        name for name in release if name.endswith(NORM[-1])
    }
    assert conversion.aliases[:2] == ('leach.1.conv.weight', 'leach.2.conv.weight')
    zeros = {name: torch.tensor(0) for name in counters}
    assert_same(conversion.state_dict, {**ours, **zeros})


def test_the_input_is_left_alone_and_dtypes_are_kept() -> None:
    release = {
        name: value.half() if value.is_floating_point() else value
        for name, value in released().items()
    }
    release['reduce.bn.bias'] = torch.zeros(100, dtype=torch.float64)[::2][:6]
    copy = {name: value.clone() for name, value in release.items()}

    ours = from_release(release, build())
    for value in ours.values():
        assert value.is_contiguous()
        assert value.untyped_storage().nbytes() == value.nbytes
        value.fill_(1)

    assert_same(release, copy)
    assert ours['neck.base_fusion.reduce.0.bn.bias'].dtype == torch.float64
    assert ours['bbox_head.cls_convs.0.0.weight'].dtype == torch.float16


def test_the_convolutions_of_vgg_keep_their_numbers() -> None:
    model = build('m2det_vgg', in_channels=(512, 1024))
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    ours = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}

    names = [name for name in to_release(ours, model) if name.startswith('base.')]

    # Of the release's VGG-16: thirteen convolutions, then fc6 and fc7.
    layers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33]
    assert names == [f'base.{i}.{x}' for i in layers for x in ('weight', 'bias')]


@pytest.mark.parametrize(
    ('form', 'hint'),
    [
        ({'classes': 20}, 'num_classes=20, the config 3: set model.bbox_head.num_cla'),
        ({'sfam': True}, 'sfam=True, the config False: set model.neck.sfam=True'),
        ({'norm': False}, 'extra_norm=False, the config True: set model.neck.extra_'),
        ({'smooth': False}, 'smooth=False, the config True: set model.neck.smooth=F'),
        ({'levels': 2}, 'num_levels=2, the config 3: set model.neck.num_levels=2'),
        ({'scales': 5}, 'num_scales=5, the config 4: set model.neck.num_scales=5'),
    ],
)
def test_another_setting_is_named(form: dict, hint: str) -> None:
    with pytest.raises(ConversionError, match=hint) as error:
        from_release(released(**form), build())

    assert str(error.value).count('The checkpoint has ') == 1


def test_a_misfit_is_listed_in_full() -> None:
    release = released()
    del release['loc.2.bias']
    release['loc.1.bias'] = torch.zeros(5)
    release['conf.9.bias'] = release.pop('conf.0.bias')

    with pytest.raises(ConversionError) as error:
        from_release(release, build())

    assert error.value.missing == ['conf.0.bias', 'loc.2.bias']
    assert error.value.unexpected == ['conf.9.bias']
    assert error.value.misshapen == [('loc.1.bias', (5,), (16,))]
    message = str(error.value)
    assert 'Missing (2):\n  conf.0.bias\n  loc.2.bias\n' in message
    assert '  loc.1.bias: (5,) in the checkpoint, (16,) in the model\n' in message


def test_long_lists_are_cut_in_the_message_only() -> None:
    with pytest.raises(ConversionError, match=r'Missing \(2\d\d\):') as error:
        from_release({'fc.weight': torch.zeros(1)}, build())

    missing = error.value.missing
    assert missing == sorted(name for name in released() if not name.endswith(NORM[-1]))
    lines = str(error.value).splitlines()
    assert lines[2:22] == [f'  {name}' for name in missing[:20]]
    assert lines[22] == f'  and {len(missing) - 20} more'


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_values_that_are_not_finite_are_named(value: float) -> None:
    model, release = build(), released()
    ours = from_release(release, model)
    release['unet2.layers.0.bn.running_var'][3] = value
    ours['neck.norm.bias'][0] = value

    with pytest.raises(ConversionError, match=r'finite.\n  unet2.layers.0.bn.runni'):
        from_release(release, model)
    with pytest.raises(ConversionError, match=r'finite.\n  neck.norm.bias'):
        to_release(ours, model)


def test_shared_layers_have_to_be_equal() -> None:
    release = released()
    release['leach.1.bn.bias'] = release['leach.1.bn.bias'] + 1

    for share in (True, False):
        with pytest.raises(ConversionError) as error:
            from_release(release, build(share_leach=share))
        assert '\n  leach.0.bn.bias\n  leach.1.bn.bias\n' in str(error.value)


def test_layers_that_the_release_shares_may_not_differ() -> None:
    model = build(sfam=True, share_leach=False)
    ours = from_release(released(sfam=True), model)
    ours['neck.level_fusions.2.leach.bn.bias'] = torch.ones(WIDTH // 2)
    name = 'neck.aggregation.attention.1.conv1.conv.bias'
    ours[name] = ours[name] + 1

    with pytest.raises(ConversionError, match='share_leach=True') as error:
        to_release(ours, model)

    named = re.findall(r'^  (neck\S+)$', str(error.value), re.MULTILINE)
    assert named == [
        'neck.level_fusions.0.leach.bn.bias',
        'neck.level_fusions.2.leach.bn.bias',
        'neck.aggregation.attention.0.conv1.conv.bias',
        name,
    ]


@pytest.mark.parametrize(
    ('neck', 'message'),
    [
        ({'reuse_base': False}, 'has model.neck.reuse_base=True, got False'),
        ({'residual': True}, 'has model.neck.residual=False, got True'),
        ({'use_depthwise': True}, 'has model.neck.use_depthwise=False, got True'),
        ({'sfam': 'eca'}, 'no counterpart of these tensors'),
        ({'exact_strides': True}, 'has model.neck.exact_strides=False, got True'),
        ({'upsample_mode': 'bilinear'}, 'upsample_mode=nearest, got bilinear'),
        ({'act_cfg': {'type': 'LeakyReLU'}}, 'act_cfg.type=ReLU, got LeakyReLU'),
        ({'act_cfg': None}, 'act_cfg.type=ReLU, got NoneType'),
        ({'norm_cfg': {'type': 'BN', 'eps': 1e-3}}, 'eps=1e-05, got 0.001'),
        ({'tum_out_channels': 16}, 'tum_out_channels=8, got 16'),
        ({'out_channels': 8}, 'neck.projections.0.conv.weight'),
        ({'norm_cfg': None}, 'neck.base_fusion.reduce.0.conv.bias'),
        ({'norm_cfg': {'type': 'GN', 'num_groups': 2}}, 'reduce.0.gn.weight'),
        (
            {'in_channels': (8, 16, 16), 'ffm_channels': (6, 10, 10)},
            'neck.base_fusion.reduce.2.conv.weight',
        ),
    ],
)
@pytest.mark.parametrize('function', [from_release, to_release])
def test_models_that_the_release_lacks_are_refused(
    function: Callable, neck: dict, message: str
) -> None:
    with pytest.raises(ConversionError, match=re.escape(message)):
        function(released(), build(**neck))


def test_a_head_without_a_background_is_refused() -> None:
    model = build()
    model.bbox_head.loss_cls = MODELS.build({'type': 'mmdet.FocalLoss'})
    message = 'has model.bbox_head.loss_cls.type=CrossEntropyLoss, got FocalLoss'
    with pytest.raises(ConversionError, match=re.escape(message)):
        to_release(released(), model)


def test_other_detectors_are_refused() -> None:
    model = build()
    model.neck = nn.Identity()
    with pytest.raises(ConversionError, match='MLFPN as model.neck, got Identity'):
        to_release(released(), model)
    model = build()
    del model.backbone
    model.backbone = nn.Conv2d(3, 3, 1)
    with pytest.raises(ConversionError, match='SSDVGG or ResNet as model.backbone'):
        from_release(released(), model)


@pytest.mark.parametrize(
    'state',
    [
        {'epoch': 3},
        {0: torch.zeros(1)},
        {'Norm.weight': torch.zeros(3, dtype=torch.int32)},
        {'Norm.weight': torch.zeros(3, device='meta')},
        {'Norm.weight': torch.zeros(3).to_sparse()},
    ],
)
def test_what_is_no_state_dict_is_refused(state: dict) -> None:
    with pytest.raises(ConversionError, match='no state dict') as error:
        from_release(state, build())
    assert error.value.unexpected == [str(name) for name in state]


@pytest.mark.parametrize('state', [{}, 'released.pth', None])
def test_what_holds_no_tensors_is_refused(state: object) -> None:
    kind = type(state).__name__
    with pytest.raises(ConversionError, match=f'it is {kind} without tensors'):
        from_release(state, build())


@pytest.mark.parametrize(
    ('backbone', 'message'),
    [
        ({'out_feature_indices': (21, 34)}, r'\(22, 34\), got \(21, 34\)'),
        ({'with_last_pool': True}, 'with_last_pool=False, got True'),
        ({'depth': 19}, r'stage_blocks=\(2, 2, 3, 3, 3\), got \(2, 2, 4'),
    ],
)
def test_another_vgg_is_refused(backbone: dict, message: str) -> None:
    with torch.device('meta'):
        model = build('m2det_vgg')
        cfg = Config.fromfile(BASE / 'm2det_vgg.py').model.backbone
        cfg.update(init_cfg=None, **backbone)
        model.backbone = MODELS.build(cfg)
    with pytest.raises(ConversionError, match=message):
        from_release(released(), model)


def test_a_wrapped_detector_is_unwrapped() -> None:
    model = build()
    wrapped = nn.DataParallel(model)

    assert_same(from_release(released(), wrapped), from_release(released(), model))


def test_separate_layers_share_no_memory() -> None:
    model = build(sfam=True, share_leach=False, share_sfam=False)
    ours = from_release(released(sfam=True), model)

    places = [value.data_ptr() for value in ours.values()]
    assert len(set(places)) == len(ours)


def test_the_other_backbone_is_named() -> None:
    with pytest.raises(ConversionError, match='set model.backbone.type=ResNet'):
        from_release(released(), build('m2det_vgg'))


def test_the_wrong_direction_is_named() -> None:
    model = build()
    ours = from_release(released(), model)

    with pytest.raises(ConversionError, match='convert with --to-release'):
        from_release(ours, model)
    with pytest.raises(ConversionError, match='convert without --to-release'):
        to_release(released(), model)


def test_names_that_another_network_shares_do_not_tell_the_direction() -> None:
    model = build()
    ours = from_release(released(), model)
    shared = {name: x for name, x in ours.items() if name.startswith('bbox_head')}

    with pytest.raises(ConversionError, match='are missing') as caught:
        from_release(shared, model)
    assert '--to-release' not in str(caught.value)
