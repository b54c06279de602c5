"""Kinds of images of which a part is not used."""

from collections.abc import Sequence

from ...faults import Faults, Level, new_kind
from .listing import ListedImage

IMAGE_ALPHA = new_kind(
    'image-alpha',
    Level.NOTE,
    'images with an alpha channel or a transparent colour',
    'They are read without it: what was transparent gets the colour below.',
)
IMAGE_CMYK = new_kind(
    'image-cmyk',
    Level.NOTE,
    'images in CMYK',
    'They are converted to colours without their profile.',
)
IMAGE_ANIMATED = new_kind(
    'image-animated',
    Level.NOTE,
    'files with several pictures',
    'The first one is read.',
)


def check_kinds(images: Sequence[ListedImage], faults: Faults) -> None:
    """Look for kinds of images of which a part is not used."""
    for image in images:
        path, header = image.path, image.header
        if header.transparent:
            sentence = f'The image {path} ({header.mode}) is read without transparency.'
            faults.report(IMAGE_ALPHA, sentence)
        if header.mode == 'CMYK':
            faults.report(IMAGE_CMYK, f'The image {path} is in CMYK.')
        if header.animated:
            sentence = f'The file {path} holds several pictures: the first one is read.'
            faults.report(IMAGE_ANIMATED, sentence)
