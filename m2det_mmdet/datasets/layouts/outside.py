"""Images that a data folder names, and that lie outside of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..boundary import boundary_of
from ..faults import Faults, Level, new_kind
from .parts import Part

PATH_OUTSIDE = new_kind(
    'path-outside',
    Level.STOP,
    'images outside of the data folder, by their names or by links',
    'They are left out and not opened: move them, or give --allow-outside if you trust '
    'who made the data.',
)


def leave_out_outside(part: Part, folders: Sequence[Path], faults: Faults) -> None:
    """Leave out the images of a part that lie in none of some folders, and report them.

    Args:
        part: Changed in place.
        folders: The data folder, and others that belong to it.
        faults: Gets the images.
    """
    boundary = boundary_of((part.images, *folders), allowed=False)
    outside = set()
    for image in part.content['images']:
        path = os.path.join(part.images, image['file_name'])
        if not boundary.holds(path):
            outside.add(image['id'])
            faults.report(
                PATH_OUTSIDE,
                f'The image {path} leads out of the data folder {folders[0]}: move it, '
                'or give --allow-outside (allow_outside=True) if you trust the data.',
            )
    if outside:
        part.leave_out(outside)
