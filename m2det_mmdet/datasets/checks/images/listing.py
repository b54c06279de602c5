"""The images of a data folder with their headers, without those of no use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....utils.headers import Header, HugeImage, UnreadableImage, read_header
from ...faults import Faults, Level, new_kind
from ...layouts.folder import DataFolder, Part

LONGEST = 20_000  # pixels: the longer side of an image that is used

IMAGE_UNREADABLE = new_kind(
    'image-unreadable',
    Level.FAULT,
    'images that are missing, damaged, cut off or of a kind that cannot be read',
    'They are left out with their labels: restore, convert or remove them.',
)
IMAGE_HUGE = new_kind(
    'image-huge',
    Level.FAULT,
    f'images of more than {LONGEST} pixels a side, or 179 million pixels',
    'They are left out with their labels: cut them into tiles.',
)


@dataclass(eq=False)
class ListedImage:
    """An image of a data folder.

    Attributes:
        split: Name of its part.
        part: Its part.
        entry: What the part's content says of it.
        path: Where it lies.
        header: What its file says of it.
    """

    split: str
    part: Part
    entry: dict[str, Any]
    path: Path
    header: Header


def list_images(folder: DataFolder, faults: Faults) -> list[ListedImage]:
    """Read the headers of all images; leave out and report what is of no use."""
    listed = []
    for split, part in folder.parts.items():
        useless = set()
        for entry in part.content['images']:
            path = part.images / entry['file_name']
            header = _usable_header(path, faults)
            if header is None:
                useless.add(entry['id'])
            else:
                listed.append(ListedImage(split, part, entry, path, header))
        part.leave_out(useless)
    return listed


def _usable_header(path: Path, faults: Faults) -> Header | None:
    try:
        header = read_header(path)
    except HugeImage as error:
        faults.report(IMAGE_HUGE, f'The image {path} {error.problem}: cut it up.')
        return None
    except UnreadableImage as error:
        faults.report(
            IMAGE_UNREADABLE,
            f'The image {path} {error.problem}: restore it or remove its labels.',
        )
        return None
    if max(header.size) > LONGEST:
        faults.report(
            IMAGE_HUGE,
            'The image {} has {} x {} pixels: cut it up.'.format(path, *header.size),
        )
        return None
    if header.bits > 16:
        faults.report(
            IMAGE_UNREADABLE,
            f'The image {path} has {header.bits} bits a channel: convert it to 8 or '
            '16.',
        )
        return None
    return header
