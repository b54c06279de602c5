"""Images that are in a data set again: the same file, or one that looks alike."""

import os
from collections import defaultdict
from collections.abc import Sequence

from ...copies import same_files
from ...faults import Faults, Level, new_kind
from ...similar import similar_groups
from .listing import ListedImage

IMAGE_TWICE = new_kind(
    'image-twice',
    Level.FAULT,
    'images that a split has already, in a file of another name',
    'Objects that only one of them marks are learned as background: keep one.',
)
SPLIT_SAME = new_kind(
    'split-same',
    Level.FAULT,
    'images that are in another split, too, in a file of another name',
    'AP on what was learned means little: keep an image in one split.',
)
SPLIT_SIMILAR = new_kind(
    'split-similar',
    Level.FAULT,
    'images that look like one in another split',
    'AP on what was learned means little: keep images of one scene in one split.',
)


def check_copies(images: Sequence[ListedImage], faults: Faults) -> set[ListedImage]:
    """Look for files that hold the same bytes.

    Returns:
        Copies of images in another split.
    """
    across = set()
    for places in same_files([image.path for image in images]):
        copies = _of_different_files([images[place] for place in places])
        firsts: dict[str, ListedImage] = {}
        for image in copies:
            first = firsts.setdefault(image.split, image)
            if first is not image:
                faults.report(IMAGE_TWICE, _sentence(image, 'is a copy of', first))
            elif image is not copies[0]:
                across.add(image)
                faults.report(SPLIT_SAME, _sentence(image, 'is a copy of', copies[0]))
    return across


def check_similar(images: Sequence[ListedImage], faults: Faults) -> None:
    """Look for images that look like one in another split."""
    if len({image.split for image in images}) < 2:
        return
    groups = defaultdict(list)
    numbers = similar_groups([image.path for image in images])
    for image, number in zip(images, numbers, strict=True):
        groups[number].append(image)
    for group in groups.values():
        first, *others = _of_different_files(group)
        for image in others:
            if image.split != first.split:
                faults.report(SPLIT_SIMILAR, _sentence(image, 'looks like', first))


def _of_different_files(images: Sequence[ListedImage]) -> list[ListedImage]:
    """Leave out what is the same file: other checks find that without reading it."""
    first = {os.path.normpath(image.path): image for image in reversed(images)}
    return [x for x in images if first[os.path.normpath(x.path)] is x]


def _sentence(image: ListedImage, relation: str, other: ListedImage) -> str:
    fix = 'one of them'
    if image.split != other.split:
        fix = 'them in one split, or one of them'
    return (
        f'The image {image.path} ({image.split}) {relation} {other.path} '
        f'({other.split}): keep {fix}.'
    )
