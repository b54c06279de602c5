"""Boxes that cannot be where or as large as they say, or that are hard to detect."""

from typing import Any

import numpy as np

from ..faults import Faults, Level, new_kind
from ..layouts.folder import DataFolder
from .frames import are_corners, are_normalised
from .objects import Objects, objects_of, report_each

BOX_EMPTY = new_kind(
    'box-empty',
    Level.FAULT,
    'boxes of less than a pixel in width or height',
    'Training leaves them out: draw or remove them.',
)
BOX_OUTSIDE = new_kind(
    'box-outside',
    Level.FAULT,
    'boxes outside the image',
    'Training leaves them out: draw or remove them.',
)
BOX_ACROSS = new_kind(
    'box-across',
    Level.FAULT,
    'boxes that reach across the border of the image by more than a pixel',
    'They are kept as they are: end them at the border.',
)
BOX_TINY = new_kind(
    'box-tiny',
    Level.NOTE,
    'boxes of less than 4 pixels, or than 1/200 of the image, in width or height',
    'They are kept, but hardly any detector finds them.',
)
BOX_HUGE = new_kind(
    'box-huge',
    Level.NOTE,
    'boxes of more than 95 % of the image',
    'They are kept: look whether they mark an object, or the whole picture.',
)
BOX_EXTREME = new_kind(
    'box-extreme',
    Level.NOTE,
    'boxes more than 10 times as long as wide',
    'They are kept, but few anchors have such a shape: `m2det anchors` tells.',
)
IMAGE_SMALL = new_kind(
    'image-small',
    Level.NOTE,
    'images of less than 32 pixels in width or height',
    'Configs with filter_cfg=dict(min_size=32) leave them out of the training.',
)

_ROUNDING = 1  # pixel
_TINY_SIDE = 4  # pixels
_TINY_SHARE = 1 / 200  # of a side of the image
_HUGE_SHARE = 0.95  # of the area of the image
_EXTREME_RATIO = 10
_SMALL_SIDE = 32  # pixels; mmdet's default


def check_geometry(folder: DataFolder, faults: Faults) -> None:
    """Compare the boxes with their images.

    Those of a split in another frame (see :func:`.check_frames`) are not looked at.
    """
    for split, part in folder.parts.items():
        _check_images(split, part.content['images'], faults)
        objects = objects_of(split, part)
        if not are_normalised(objects) and not are_corners(objects):
            _check_boxes(objects, faults)


def _check_images(split: str, images: list[dict[str, Any]], faults: Faults) -> None:
    small = [
        index
        for index, image in enumerate(images)
        if min(image['width'], image['height']) < _SMALL_SIDE
    ]

    def sentence(index: int) -> str:
        image = images[index]
        size = f'{image["width"]:g}x{image["height"]:g}'
        return f'The image {image["file_name"]} ({split}) has {size} pixels.'

    report_each(faults, IMAGE_SMALL, small, sentence)


def _check_boxes(objects: Objects, faults: Faults) -> None:
    first, extent, sizes = objects.boxes[:, :2], objects.boxes[:, 2:], objects.sizes
    last = first + extent
    # As CocoDataset does.
    empty = (extent < 1).any(axis=1)
    outside = ~empty & ((last <= 0) | (first >= sizes)).any(axis=1)
    across = ((first < -_ROUNDING) | (last > sizes + _ROUNDING)).any(axis=1)
    # A crowd may be of any size and shape.
    sound = ~empty & ~outside & ~objects.crowds
    tiny = (extent < np.maximum(_TINY_SIDE, _TINY_SHARE * sizes)).any(axis=1)
    huge = extent.prod(axis=1) > _HUGE_SHARE * sizes.prod(axis=1)
    extreme = extent.max(axis=1) > _EXTREME_RATIO * extent.min(axis=1)
    found = {
        BOX_EMPTY: empty,
        BOX_OUTSIDE: outside,
        BOX_ACROSS: across & ~empty & ~outside,
        BOX_TINY: tiny & sound,
        BOX_HUGE: huge & sound,
        BOX_EXTREME: extreme & sound,
    }
    for kind, mask in found.items():
        report_each(
            faults,
            kind,
            np.flatnonzero(mask),
            lambda index: (
                f'{objects.describe(index)} is in an image of '
                f'{sizes[index, 0]:g}x{sizes[index, 1]:g} pixels.'
            ),
        )
