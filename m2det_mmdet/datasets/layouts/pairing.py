"""Pairs images with files of labels, in folders that are arranged in any way."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .splits import split_of

# Names of folders that say what is in them, not what belongs together.
_ROLES = {
    *('images', 'image', 'imgs', 'img', 'jpegimages', 'pictures', 'data'),
    *('labels', 'label', 'annotations', 'annotation', 'annots', 'xml', 'xmls', 'txt'),
}


class Pairs(NamedTuple):
    """What belongs together; all paths are relative to the data folder.

    Attributes:
        found: Images with their labels, in the order of the images.
        orphans: Labels without an image.
        unlabelled: Images without labels.
        doubles: Images that have the name of the image before them, which is paired.
    """

    found: list[tuple[str, str]]
    orphans: list[str]
    unlabelled: list[str]
    doubles: list[tuple[str, str]]


def pair(images: Sequence[str], labels: Iterable[str]) -> Pairs:
    """Pair images and labels by their names.

    The folders count too, but for those that only say what is in them:
    ``train/images/1.jpg`` belongs to ``train/labels/1.txt``. Labels that find no image
    so are paired with the only image of their name in the data, unless that is in the
    folder of another split.

    Args:
        images: Paths with ``/``, sorted.
        labels: The same.
    """
    by_key: dict[tuple[str, ...], str] = {}
    doubles = []
    for image in images:
        first = by_key.setdefault(_key(image), image)
        if first != image:
            doubles.append((first, image))
    owners: dict[str, str] = {}
    rest = []
    for label in labels:
        image = by_key.get(_key(label))
        if image is None or image in owners:
            rest.append(label)
        else:
            owners[image] = label
    orphans = _pair_by_name(by_key, owners, rest)
    others = {image for _, image in doubles}
    return Pairs(
        [(image, owners[image]) for image in images if image in owners],
        orphans,
        [image for image in images if image not in owners and image not in others],
        doubles,
    )


def _pair_by_name(
    by_key: dict[tuple[str, ...], str], owners: dict[str, str], labels: Iterable[str]
) -> list[str]:
    """Pair what has a name that nothing else has; return the labels that remain."""
    by_name = defaultdict(list)
    for key, image in by_key.items():
        by_name[key[-1]].append(image)
    orphans = []
    for label in labels:
        found = by_name.get(_key(label)[-1], [])
        fits = (
            len(found) == 1
            and found[0] not in owners
            and len({split_of(found[0]), split_of(label)} - {None}) < 2
        )
        if fits:
            owners[found[0]] = label
        else:
            orphans.append(label)
    return orphans


def _key(path: str) -> tuple[str, ...]:
    *folders, name = path.split('/')
    stem = name.rpartition('.')[0] or name
    return (*(x for x in folders if x.lower() not in _ROLES), stem)
