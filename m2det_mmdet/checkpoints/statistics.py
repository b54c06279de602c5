"""Mean and deviation of the pixels that weights were trained with."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from ..utils.configs import load_config
from .pretrained import pretrained_of
from .zoo import ENTRIES, SCHEME

# Published values of one collection differ by so much: levels of 255, and a fraction.
_MEAN, _STD = 3.0, 0.05


class Statistics(NamedTuple):
    """What is subtracted of a pixel, and by what the rest is divided.

    Attributes:
        mean: By channel, levels of 0..255, in the order that the network sees.
        std: Likewise.
        bgr_to_rgb: Whether that order is RGB, where images are read as BGR.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr_to_rgb: bool

    def __str__(self) -> str:
        return f'mean={[*self.mean]}, std={[*self.std]}, bgr_to_rgb={self.bgr_to_rgb}'


_IMAGENET = Statistics((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), True)
_CAFFE = Statistics((103.53, 116.28, 123.675), (1.0, 1.0, 1.0), False)
_CAFFE_RGB = Statistics((123.675, 116.28, 103.53), (1.0, 1.0, 1.0), True)
_SCALED_BGR = Statistics((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), False)
_DARKNET = Statistics((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), True)

# Of each kind of weights those that it is used with, the usual ones first. What is used
# with several in MMDetection's own configs, as HRNet and RegNet, is left out.
_KNOWN: tuple[tuple[str, tuple[Statistics, ...]], ...] = (
    (r'(torchvision|modelzoo|mmcls)://', (_IMAGENET,)),
    (r'https?://download\.pytorch\.org/models/', (_IMAGENET,)),
    (r'open-?mmlab://detectron2?/resnet\w*_(caffe|gn)$', (_CAFFE,)),
    (r'open-?mmlab://detectron2/resnext101_32x8d$', (_SCALED_BGR,)),
    # The release of M2Det takes BGR, MMDetection's SSD RGB: both are in use.
    (r'open-?mmlab://vgg16_caffe$', (_CAFFE_RGB, _CAFFE)),
    (r'open-?mmlab://darknet53$', (_DARKNET,)),
    (r'open-?mmlab://(resnext|resnest|res2net|contrib/|jhu/|mmdet/)', (_IMAGENET,)),
    (r'open-?mmlab://resnet\d+_v1c$', (_IMAGENET,)),
)


def check_statistics(cfg: Config) -> Iterator[str]:
    """Yield a sentence for weights whose pixels the model does not prepare.

    Args:
        cfg: A config that trains; its model without weights that ``load_from``
            replaces.
    """
    own = _statistics_of(cfg.model)
    if own is None:
        return
    places = {f'model.{place}': name for place, name in pretrained_of(cfg.model)}
    if cfg.get('load_from'):
        places['load_from'] = str(cfg.load_from)
    for place, name in places.items():
        expected = _expected(name)
        if expected and not any(_alike(own, one) for one in expected):
            yield (
                f'The pixels are not those that {name} ({place}) was trained with: '
                f'model.data_preprocessor has {own}, set {expected[0]}.'
            )


def _statistics_of(model: Mapping[str, Any]) -> Statistics | None:
    """Read the statistics that a model subtracts, if it does so by itself."""
    settings = model.get('data_preprocessor') or {}
    mean, std = settings.get('mean'), settings.get('std')
    if not (_are_three(mean) and _are_three(std)):
        return None
    return Statistics(tuple(mean), tuple(std), bool(settings.get('bgr_to_rgb')))


def _expected(checkpoint: str) -> tuple[Statistics, ...]:
    """Statistics that weights are used with; none if they are not known."""
    name = checkpoint.removeprefix(SCHEME)
    if name in ENTRIES:
        known = _statistics_of(load_config(ENTRIES[name].config).model)
        return () if known is None else (known,)
    for pattern, statistics in _KNOWN:
        if re.match(pattern, checkpoint):
            return statistics
    return ()


def _alike(one: Statistics, other: Statistics) -> bool:
    return (
        one.bgr_to_rgb == other.bgr_to_rgb
        and all(abs(a - b) <= _MEAN for a, b in zip(one.mean, other.mean, strict=True))
        and all(
            math.isclose(a, b, rel_tol=_STD)
            for a, b in zip(one.std, other.std, strict=True)
        )
    )


def _are_three(values: Sequence[float] | None) -> bool:
    return isinstance(values, list | tuple) and len(values) == 3
