"""Images of 16 bits a channel of which fewer are used."""

from collections.abc import Sequence

from ....utils.headers import UnreadableImage, read_header
from ...deep_images import bits_used
from ...faults import Faults, Level, new_kind
from ...layouts.folder import DataFolder
from .listing import ListedImage

DEPTH_UNUSED = new_kind(
    'depth-unused',
    Level.NOTE,
    'images that use few of 16 bits a channel, and would be read as nearly black',
    '`m2det train --data` loads them with LoadDeepImageFromFile; a config of your own '
    'needs it in place of LoadImageFromFile.',
)


def check_depth(images: Sequence[ListedImage], faults: Faults) -> None:
    """Look for images of 16 bits a channel of which fewer are used."""
    deep = [image.path for image in images if image.header.bits == 16]
    if bits := bits_used(deep):
        faults.report(
            DEPTH_UNUSED,
            f'The image {deep[0]} and the others of 16 bits a channel use {bits} of '
            'them: load them with '
            f"dict(type='LoadDeepImageFromFile', bits={bits}).",
            count=len(deep),
        )


def used_bits(folder: DataFolder) -> int | None:
    """Tell which ``bits`` of :class:`.LoadDeepImageFromFile` a data set needs.

    Returns:
        8, 10, 12 or 14; ``None`` if mmcv's loader reads all images right.
    """
    deep = []
    for part in folder.parts.values():
        for entry in part.content['images']:
            path = part.images / entry['file_name']
            try:
                if read_header(path).bits == 16:
                    deep.append(path)
            except UnreadableImage:
                continue
    return bits_used(deep)
