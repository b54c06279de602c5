"""Images that cannot be decoded."""

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import mmcv

from ...faults import Faults
from .listing import IMAGE_UNREADABLE, ListedImage

_THREADS = 4


def check_pixels(images: Sequence[ListedImage], faults: Faults) -> list[ListedImage]:
    """Read each image as training does; leave out and report what cannot be read.

    Returns:
        The images that can be read.
    """
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        readable = list(pool.map(_is_readable, images))
    parts = {image.split: image.part for image in images}
    useless = defaultdict(set)
    for image, is_readable in zip(images, readable, strict=True):
        if not is_readable:
            useless[image.split].add(image.entry['id'])
            faults.report(
                IMAGE_UNREADABLE,
                f'The image {image.path} is cut off or damaged: restore it or remove '
                'its labels.',
            )
    for split, image_ids in useless.items():
        parts[split].leave_out(image_ids)
    return [x for x, is_readable in zip(images, readable, strict=True) if is_readable]


def _is_readable(image: ListedImage) -> bool:
    try:
        return mmcv.imread(image.path) is not None
    except (OSError, MemoryError, cv2.error):
        return False
