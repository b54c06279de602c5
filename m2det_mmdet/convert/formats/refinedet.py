"""The network of RefineDet's PyTorch port.

`luuuyi/RefineDet.PyTorch <https://github.com/luuuyi/RefineDet.PyTorch>`_ follows the
authors' own code, which uses Caffe. It has only VGG-16, and the same tensors at 320 and
at 512 pixels.
"""

from collections.abc import Iterator, Mapping

from torch import nn

from ...checkpoints.foreign import REFINEDET_PORT
from ...models.backbones import RefineDetVGG
from ...models.dense_heads import ARMHead, ODMHead
from ...models.necks import TCB
from ..error import Shape
from .release import Fixed, Layer, Release, Settings, num_classes

_PARTS = {
    'backbone': (RefineDetVGG,),
    'neck': (TCB,),
    'arm_head': (ARMHead,),
    'bbox_head': (ODMHead,),
}


def _fixed(model: nn.Module) -> Iterator[Fixed]:
    """Yield settings that no name or shape shows: the exact types of the parts."""
    for part, (own,) in _PARTS.items():
        yield f'{part}.type', type(getattr(model, part)).__name__, own.__name__
    loss = type(model.bbox_head.loss_cls).__name__
    yield 'bbox_head.loss_cls.type', loss, 'CrossEntropyLoss'


def _layers(model: nn.Module) -> Iterator[Layer]:
    """Yield the layers, with the port's names."""
    for index, layer in enumerate(model.backbone.features):
        if isinstance(layer, nn.Conv2d):
            yield Layer((f'backbone.features.{index}',), (f'vgg.{index}',))
    for index, name in enumerate(('conv4_3_L2Norm', 'conv5_3_L2Norm')):
        yield Layer((f'backbone.l2_norms.{index}',), (name,), ('weight',))
    # The port's list has no ReLUs.
    for ours, theirs in ((0, 0), (2, 1)):
        yield Layer((f'backbone.extra.{ours}',), (f'extras.{theirs}',))
    for i, block in enumerate(model.neck.blocks):
        ours = f'neck.blocks.{i}'
        # One list holds the layers of all blocks: tcb0 has convolution, ReLU,
        # convolution for each block, tcb2 ReLU, convolution, ReLU.
        yield Layer((f'{ours}.lateral.0.conv',), (f'tcb0.{3 * i}',))
        yield Layer((f'{ours}.lateral.1.conv',), (f'tcb0.{3 * i + 2}',))
        if hasattr(block, 'deconv'):
            yield Layer((f'{ours}.deconv',), (f'tcb1.{i}',))
        yield Layer((f'{ours}.output.conv',), (f'tcb2.{3 * i + 1}',))
    for ours, theirs in (('arm_head', 'arm'), ('bbox_head', 'odm')):
        head = getattr(model, ours)
        for scale in range(len(head.reg_convs)):
            yield Layer((f'{ours}.reg_convs.{scale}.0',), (f'{theirs}_loc.{scale}',))
            yield Layer(
                (f'{ours}.cls_convs.{scale}.0',),
                (f'{theirs}_conf.{scale}',),
                classes=head.cls_out_channels,
            )


def _settings(shapes: Mapping[str, Shape]) -> Settings:
    """Read a config's settings from tensors under the port's names."""
    settings = num_classes(shapes, 'odm_loc.', 'odm_conf.')
    width = shapes.get('tcb1.0.weight')
    if width is None or len(width) != 4:
        return settings
    return {**settings, 'model.neck.out_channels': width[1]}


REFINEDET = Release(
    name='PyTorch port',
    title='the PyTorch port of RefineDet',
    configs='refinedet_vgg_*',
    sign=REFINEDET_PORT.sign,
    parts=_PARTS,
    fixed=_fixed,
    layers=_layers,
    settings=_settings,
)
