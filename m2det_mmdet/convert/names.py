"""The names of each layer, ours and those of the authors' release.

The release counts lateral and smoothing convolutions from the smallest map, and stores
a shared layer once for each use.
"""

import re
from collections.abc import Iterator
from typing import Any

from mmdet.models.backbones import SSDVGG, ResNet
from torch import nn

from ..dense_heads import M2DetHead
from ..necks import MLFPN, TUM
from .error import ConversionError

Names = tuple[str, ...]
# The names that a layer has here, those that it has in the release, its tensors.
Layer = tuple[Names, Names, Names]
# The names that a tensor has here, and those that it has in the release.
Table = list[tuple[Names, Names]]

COUNTER = 'num_batches_tracked'
# The classifier of the release's ResNets, which its network does not use.
UNUSED = ('base.fc.weight', 'base.fc.bias')

_CONV = ('weight', 'bias')
_NORM = ('weight', 'bias', 'running_mean', 'running_var', COUNTER)
_CONV_NORM = ('conv.weight', *(f'bn.{name}' for name in _NORM))
# Tensors of a ResNet that the release builds: no deep stem, no other norm, no plugins.
_RESNET = re.compile(r'(layer\d\.\d+\.)?(conv\d|bn\d|downsample\.[01])\.\w+')

_PARTS = {'backbone': (SSDVGG, ResNet), 'neck': (MLFPN,), 'bbox_head': (M2DetHead,)}


def table_of_names(model: nn.Module) -> Table:
    """Return the names of each tensor, ours and the release's.

    Raises:
        ConversionError: If the release has no form for ``model``.
    """
    for part, types in _PARTS.items():
        if not isinstance(getattr(model, part, None), types):
            raise ConversionError(
                f'The release knows {" or ".join(t.__name__ for t in types)} as '
                f'model.{part}, got {type(getattr(model, part, None)).__name__}.'
            )
    for setting, given, value in _fixed(model):
        if given != value:
            raise ConversionError(
                f"The release's network has model.{setting}={value}, got {given}."
            )
    table = [
        tuple(tuple(f'{layer}.{tensor}' for layer in side) for side in (ours, theirs))
        for ours, theirs, tensors in _layers(model)
        for tensor in tensors
    ]
    unnamed = set(model.state_dict()) ^ {name for ours, _ in table for name in ours}
    if unnamed:
        raise ConversionError(
            "The release's network cannot be this model: it has no counterpart of "
            'these tensors, or they are absent here.',
            unexpected=unnamed,
            advice=['Compare the config with those named m2det_*_release.'],
        )
    return table


def _fixed(model: nn.Module) -> Iterator[tuple[str, Any, Any]]:
    """Yield settings that no name or shape shows, with the model's and the right value.

    Those of a ResNet's strides are not among them, nor is anything beyond the network.
    """
    backbone, neck = model.backbone, model.neck
    conv, tum = neck.base_fusion.reduce[0], neck.tums[0]
    if isinstance(backbone, SSDVGG):
        yield 'backbone.type', type(backbone).__name__, 'SSDVGG'
        yield 'backbone.stage_blocks', tuple(backbone.stage_blocks), (2, 2, 3, 3, 3)
        # The released one ends with the ReLU of fc7, the 35th layer.
        yield 'backbone.with_last_pool', len(backbone.features) != 35, False
        taps = tuple(backbone.out_feature_indices)
        yield 'backbone.out_feature_indices', taps, (22, 34)
    else:
        yield 'backbone.type', type(backbone).__name__, 'ResNet'
    yield 'neck.reuse_base', neck.reuse_base, True
    yield 'neck.exact_strides', neck.exact_strides, False
    yield 'neck.upsample_mode', neck.base_fusion.upsample_mode, 'nearest'
    activation = getattr(conv, 'activate', None)
    yield 'neck.act_cfg.type', type(activation).__name__, 'ReLU'
    if conv.norm is not None:
        yield 'neck.norm_cfg.eps', conv.norm.eps, 1e-5
    width = tum.encoder[0].out_channels
    yield 'neck.tum_out_channels', tum.top.out_channels, width


def _layers(model: nn.Module) -> Iterator[Layer]:
    """Yield the layers for which the release has names.

    Several names on one side are one layer, or copies that have to be equal.
    """
    if isinstance(model.backbone, SSDVGG):
        for index, layer in enumerate(model.backbone.features):
            if isinstance(layer, nn.Conv2d):
                yield (f'backbone.features.{index}',), (f'base.{index}',), _CONV
    else:
        names = filter(_RESNET.fullmatch, model.backbone.state_dict())
        yield ('backbone',), ('base',), tuple(names)
    yield from _neck_layers(model.neck)
    for scale in range(len(model.bbox_head.reg_convs)):
        yield (f'bbox_head.reg_convs.{scale}.0',), (f'loc.{scale}',), _CONV
        yield (f'bbox_head.cls_convs.{scale}.0',), (f'conf.{scale}',), _CONV


def _neck_layers(neck: MLFPN) -> Iterator[Layer]:
    yield ('neck.base_fusion.reduce.0',), ('reduce',), _CONV_NORM
    yield ('neck.base_fusion.reduce.1',), ('up_reduce',), _CONV_NORM
    yield (
        _numbered('neck.level_fusions.{}.leach', len(neck.level_fusions)),
        _numbered('leach.{}', len(neck.tums)),
        _CONV_NORM,
    )
    for level, tum in enumerate(neck.tums):
        yield from _tum_layers(tum, f'neck.tums.{level}', f'unet{level + 1}')
    num_attentions = len(neck.aggregation.attention)
    for ours, theirs in (('conv1', 'fc1'), ('conv2', 'fc2')) if num_attentions else ():
        yield (
            _numbered(f'neck.aggregation.attention.{{}}.{ours}.conv', num_attentions),
            _numbered(f'sfam_module.{theirs}.{{}}', neck.num_scales),
            _CONV,
        )
    if not isinstance(neck.norm, nn.Identity):
        yield ('neck.norm',), ('Norm',), _NORM


def _tum_layers(tum: TUM, ours: str, theirs: str) -> Iterator[Layer]:
    last = len(tum.encoder) - 1
    yield (f'{ours}.top',), (f'{theirs}.toplayer.0',), _CONV_NORM
    for i in range(last + 1):
        yield (f'{ours}.encoder.{i}',), (f'{theirs}.layers.{i}',), _CONV_NORM
        # The release decodes, and counts, from the smallest map up.
        yield (f'{ours}.lateral.{i}',), (f'{theirs}.latlayer.{last - i}',), _CONV_NORM
    for i in range(len(tum.smooth)):
        yield (f'{ours}.smooth.{i}',), (f'{theirs}.smooth.{last - i}',), _CONV_NORM


def _numbered(form: str, count: int) -> Names:
    return tuple(form.format(index) for index in range(count))
