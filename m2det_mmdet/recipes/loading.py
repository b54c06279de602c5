"""Lets a config read images that use some of 16 bits."""

from mmengine.config import Config

from ..utils.pipelines import kind_of, nested, transforms_of


def load_deep_images(cfg: Config, bits: int) -> None:
    """Read images of 16 bits with the bits that they use, in training and tests.

    Args:
        cfg: The config; changed.
        bits: How many of the 16 bits the images use.
    """
    for step in (*transforms_of(cfg), *nested(cfg.get('tta_pipeline') or [])):
        if kind_of(step) == 'LoadImageFromFile':
            step['type'] = 'LoadDeepImageFromFile'
            step['bits'] = bits
