"""Gives a config another size of images."""

from collections.abc import Callable
from typing import Any

from mmengine.config import Config

from ..utils.pipelines import kind_of, nested, resize_of, scale_of, transforms_of
from .error import RecipeError

# Keys by which transforms of mmcv and mmdet name sizes in pixels, and those by which
# what is done to a batch does.
_SIZES = (
    *('scale', 'scales', 'img_scale', 'size', 'crop_size', 'width', 'height'),
    'border',
)
_OF_BATCHES = ('size', 'random_size_range')
_LEAST = 32  # pixels: a smaller number of these keys is a share or a divisor


def image_size(cfg: Config) -> int:
    """Return the shorter side that a config resizes test images to, pixels.

    Raises:
        RecipeError: If it resizes none.
    """
    resize = resize_of(cfg)
    if resize is None:
        raise RecipeError(
            'The test pipeline has no Resize with a scale, by which images have a '
            'size: leave the image size out.'
        )
    return min(scale_of(resize))


def set_image_size(cfg: Config, size: int) -> None:
    """Train and test on images of another size; all sizes of the config scale alike.

    Anchors of M2Det are fractions of the input and follow; their steps then follow the
    maps.

    Args:
        cfg: The config; changed.
        size: Shorter side of the images, pixels.

    Raises:
        RecipeError: If the config resizes no images, or its anchors are made for one
            size.
    """
    old = image_size(cfg)

    def scaled(side: int) -> int:
        return size if side == old else max(_LEAST, round(side * size / old))

    for step in transforms_of(cfg):
        _scale(step, _SIZES, scaled)
    for step in nested(cfg.get('tta_pipeline') or []):
        _scale(step, _SIZES, _to_multiples(scaled))
    for step in (cfg.model.get('data_preprocessor') or {}).get('batch_augments') or []:
        _scale(step, _OF_BATCHES, scaled)
    for part in nested(cfg.model):
        _resize_anchors(part, size)


def _resize_anchors(generator: dict, size: int) -> None:
    if 'input_size' not in generator:
        return
    kind = kind_of(generator)
    if kind == 'SSDAnchorGenerator' and generator['input_size'] != size:
        raise RecipeError(
            f'The anchors of SSDAnchorGenerator belong to images of '
            f'{generator["input_size"]} pixels: leave the image size out, or take '
            'another config.'
        )
    generator['input_size'] = size
    if kind == 'M2DetAnchorGenerator' and not generator.get('fixed_steps'):
        generator['steps'] = None


def _scale(step: dict, keys: tuple[str, ...], scaled: Callable[[int], int]) -> None:
    for key in keys:
        if key in step:
            step[key] = _mapped(step[key], scaled)


def _mapped(value: Any, scaled: Callable[[int], int]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_mapped(part, scaled) for part in value)
    is_side = isinstance(value, int) and not isinstance(value, bool)
    if not is_side or abs(value) < _LEAST:
        return value
    # A border that is cut off is negative.
    return scaled(value) if value > 0 else -scaled(-value)


def _to_multiples(scaled: Callable[[int], int]) -> Callable[[int], int]:
    """Round up to multiples of 32, as the sizes of the multi-scale tests are."""
    return lambda side: -(-scaled(side) // 32) * 32
