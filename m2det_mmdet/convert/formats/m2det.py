"""The network of M2Det's authors.

`VDIGPKU/M2Det <https://github.com/VDIGPKU/M2Det>`_ (PyTorch 0.4) counts lateral and
smoothing convolutions from the smallest map, and stores a shared layer under a name for
each use.
"""

import re
from collections.abc import Iterator, Mapping

from mmdet.models.backbones import SSDVGG, ResNet
from torch import nn

from ...checkpoints.foreign import M2DET_RELEASE
from ...models.dense_heads import M2DetHead
from ...models.necks import MLFPN, TUM
from ..error import Shape
from .release import COUNTER, Fixed, Layer, Names, Release, Settings, num_classes

_NORM = ('weight', 'bias', 'running_mean', 'running_var', COUNTER)
_CONV_NORM = ('conv.weight', *(f'bn.{name}' for name in _NORM))
# Tensors of a ResNet that the release builds: no deep stem, no other norm, no plugins.
_RESNET = re.compile(r'(layer\d\.\d+\.)?(conv\d|bn\d|downsample\.[01])\.\w+')
# The name of the first convolution shows the backbone.
_BACKBONES = {'base.0.weight': 'SSDVGG', 'base.conv1.weight': 'ResNet'}


def _fixed(model: nn.Module) -> Iterator[Fixed]:
    """Yield settings that no name or shape shows.

    A ResNet's strides and settings outside of the network are not checked.
    """
    backbone, neck = model.backbone, model.neck
    conv, tum = neck.base_fusion.reduce[0], neck.tums[0]
    if isinstance(backbone, SSDVGG):
        yield 'backbone.type', type(backbone).__name__, 'SSDVGG'
        yield 'backbone.stage_blocks', tuple(backbone.stage_blocks), (2, 2, 3, 3, 3)
        # The released backbone ends with the ReLU of fc7, the 35th layer.
        yield 'backbone.with_last_pool', len(backbone.features) != 35, False
        taps = tuple(backbone.out_feature_indices)
        yield 'backbone.out_feature_indices', taps, (22, 34)
    else:
        yield 'backbone.type', type(backbone).__name__, 'ResNet'
    yield 'neck.reuse_base', neck.reuse_base, True
    yield 'neck.residual', neck.residual, False
    yield 'neck.use_depthwise', neck.use_depthwise, False
    yield 'neck.exact_strides', neck.exact_strides, False
    yield 'neck.upsample_mode', neck.base_fusion.upsample_mode, 'nearest'
    activation = getattr(conv, 'activate', None)
    yield 'neck.act_cfg.type', type(activation).__name__, 'ReLU'
    if conv.norm is not None:
        yield 'neck.norm_cfg.eps', conv.norm.eps, 1e-5
    width = tum.encoder[0].out_channels
    yield 'neck.tum_out_channels', tum.top.out_channels, width
    loss = type(model.bbox_head.loss_cls).__name__
    yield 'bbox_head.loss_cls.type', loss, 'CrossEntropyLoss'


def _layers(model: nn.Module) -> Iterator[Layer]:
    """Yield the layers, with the release's names."""
    if isinstance(model.backbone, SSDVGG):
        for index, layer in enumerate(model.backbone.features):
            if isinstance(layer, nn.Conv2d):
                yield Layer((f'backbone.features.{index}',), (f'base.{index}',))
    else:
        names = filter(_RESNET.fullmatch, model.backbone.state_dict())
        yield Layer(('backbone',), ('base',), tuple(names))
    yield from _neck_layers(model.neck)
    classes = model.bbox_head.cls_out_channels
    for scale in range(len(model.bbox_head.reg_convs)):
        yield Layer((f'bbox_head.reg_convs.{scale}.0',), (f'loc.{scale}',))
        yield Layer(
            (f'bbox_head.cls_convs.{scale}.0',), (f'conf.{scale}',), classes=classes
        )


def _neck_layers(neck: MLFPN) -> Iterator[Layer]:
    yield Layer(('neck.base_fusion.reduce.0',), ('reduce',), _CONV_NORM)
    yield Layer(('neck.base_fusion.reduce.1',), ('up_reduce',), _CONV_NORM)
    yield Layer(
        _numbered('neck.level_fusions.{}.leach', len(neck.level_fusions)),
        _numbered('leach.{}', len(neck.tums)),
        _CONV_NORM,
    )
    for level, tum in enumerate(neck.tums):
        yield from _tum_layers(tum, f'neck.tums.{level}', f'unet{level + 1}')
    num_attentions = len(neck.aggregation.attention)
    for ours, theirs in (('conv1', 'fc1'), ('conv2', 'fc2')) if num_attentions else ():
        yield Layer(
            _numbered(f'neck.aggregation.attention.{{}}.{ours}.conv', num_attentions),
            _numbered(f'sfam_module.{theirs}.{{}}', neck.num_scales),
        )
    if not isinstance(neck.norm, nn.Identity):
        yield Layer(('neck.norm',), ('Norm',), _NORM)


def _tum_layers(tum: TUM, ours: str, theirs: str) -> Iterator[Layer]:
    last = len(tum.encoder) - 1
    yield Layer((f'{ours}.top',), (f'{theirs}.toplayer.0',), _CONV_NORM)
    for i in range(last + 1):
        yield Layer((f'{ours}.encoder.{i}',), (f'{theirs}.layers.{i}',), _CONV_NORM)
        # The release counts from the smallest map, where decoding begins.
        yield Layer(
            (f'{ours}.lateral.{i}',), (f'{theirs}.latlayer.{last - i}',), _CONV_NORM
        )
    for i in range(len(tum.smooth)):
        yield Layer(
            (f'{ours}.smooth.{i}',), (f'{theirs}.smooth.{last - i}',), _CONV_NORM
        )


def _numbered(form: str, count: int) -> Names:
    return tuple(form.format(index) for index in range(count))


def _settings(shapes: Mapping[str, Shape]) -> Settings:
    """Read a config's settings from tensors under the release's names."""

    def count(pattern: str) -> int:
        matches = (re.match(pattern, name) for name in shapes)
        return len({match[1] for match in matches if match})

    num_levels = count(r'unet(\d+)\.')
    if not num_levels:
        return {}
    settings: Settings = {
        'model.neck.num_levels': num_levels,
        'model.neck.num_scales': count(r'loc\.(\d+)\.'),
        'model.neck.smooth': bool(count(r'unet1\.(smooth)\.')),
        'model.neck.sfam': bool(count(r'(sfam_module)\.')),
        'model.neck.extra_norm': bool(count(r'(Norm)\.')),
    }
    for name, backbone in _BACKBONES.items():
        if name in shapes:
            settings['model.backbone.type'] = backbone
    width = shapes.get('unet1.toplayer.0.conv.weight')
    if width:
        settings['model.neck.tum_channels'] = width[0]
    return {**settings, **num_classes(shapes, 'loc.', 'conf.')}


M2DET = Release(
    name='release',
    title="the authors' release of M2Det",
    configs='m2det_*_release',
    sign=M2DET_RELEASE.sign,
    parts={'backbone': (SSDVGG, ResNet), 'neck': (MLFPN,), 'bbox_head': (M2DetHead,)},
    fixed=_fixed,
    layers=_layers,
    settings=_settings,
    # The classifier of its ResNets.
    unused=('base.fc.weight', 'base.fc.bias'),
    shared='one leach layer for all levels, and one SFAM layer for all scales',
    how_to_share='Train with model.neck.share_leach=True, and with SFAM '
    'share_sfam=True.',
)
