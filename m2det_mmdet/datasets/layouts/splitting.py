"""A split of images into those to train on and those to validate on, by a seed."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256

from ..error import DatasetError
from ..faults import Faults, Level, new_kind
from ..similar import similar_groups
from .parts import DataFolder, Part

SPLIT_MADE = new_kind(
    'split-made',
    Level.NOTE,
    'images that were chosen to validate on, since the data have no such split',
    'The same seed and the same images give the same split.',
)
SPLIT_ALIKE = new_kind(
    'split-alike',
    Level.FAULT,
    'data sets whose images are all alike, so that no split keeps copies together',
    'The AP means little: add other images.',
)
_SHARE = 0.2  # of the images, to validate on


def make_val(folder: DataFolder, seed: int, faults: Faults) -> None:
    """Take a fifth of the images to train on for a split ``val``.

    Args:
        folder: Its part ``train`` is divided.
        seed: Decides which images. Neither their order nor the place of the folder
            does.
        faults: Gets what was done.

    Raises:
        DatasetError: If there are less than two images.
    """
    train = folder.parts['train']
    images = train.content['images']
    if len(images) < 2:
        raise DatasetError(
            f'The data folder {folder.root} has a single image, which cannot be '
            'divided to train and to validate on: add more.'
        )
    kinds = defaultdict(set)
    for item in train.content['annotations']:
        kinds[item['image_id']].add(item['category_id'])
    groups = similar_groups([train.images / image['file_name'] for image in images])
    if len(set(groups)) == 1:
        groups = list(range(len(images)))
        faults.report(
            SPLIT_ALIKE,
            f'All {len(images)} images of {folder.root} look alike, and so do those to '
            'train and to validate on: add other images.',
        )
    chosen = choose(
        [image['file_name'] for image in images],
        [kinds[image['id']] for image in images],
        groups,
        seed,
    )
    ids = {images[index]['id'] for index in chosen}
    rest = {image['id'] for image in images} - ids
    folder.parts['train'], folder.parts['val'] = _part(train, rest), _part(train, ids)
    folder.split_seed = seed
    faults.report(
        SPLIT_MADE,
        f'{folder.root} has no val split: {len(ids)} of {len(images)} images, chosen '
        f'by the seed {seed}, are taken for it; images that look alike stay together.',
        len(ids),
    )


def choose(
    names: Sequence[str],
    classes: Sequence[set[int]],
    groups: Sequence[int],
    seed: int,
) -> set[int]:
    """Choose about a fifth of the images, as whole groups.

    A class with images in several groups keeps one of them here. Rare classes
    come first, so that they are among the chosen ones too.

    Args:
        names: A name for each image; with the seed they give the order of choice.
        classes: The classes in each image.
        groups: A number for each image, equal for those that must stay together; there
            are at least two.
        seed: Another one gives another choice.

    Returns:
        The chosen indices: never none, never all.
    """
    members = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    found = sorted(
        members.values(), key=lambda group: _rank(seed, min(names[i] for i in group))
    )
    held = [set().union(*(classes[i] for i in group)) for group in found]
    left = Counter(x for group in held for x in group)
    room = max(1, round(_SHARE * len(names)))
    chosen: set[int] = set()

    def take(index: int) -> bool:
        """Take a group if there is room, and no class would be lost to train on."""
        nonlocal room
        last = any(left[x] == 1 for x in held[index])
        if index in chosen or len(found[index]) > room or last:
            return False
        room -= len(found[index])
        left.subtract(held[index])
        chosen.add(index)
        return True

    for rare in sorted(left, key=lambda x: (left[x], x)):
        if not any(rare in held[index] for index in chosen):
            any(take(index) for index, group in enumerate(held) if rare in group)
    for index in range(len(found)):
        take(index)
    if not chosen:
        # What costs the fewest classes, then the fewest images.
        costs = [
            (sum(left[x] == 1 for x in group), len(found[index]), index)
            for index, group in enumerate(held)
        ]
        chosen = {min(costs)[2]}
    return {image for index in chosen for image in found[index]}


def _rank(seed: int, name: str) -> bytes:
    return sha256(f'{seed}/{name}'.encode()).digest()


def _part(part: Part, ids: set[int]) -> Part:
    content = part.content
    return Part(
        part.images,
        {
            **content,
            'images': [image for image in content['images'] if image['id'] in ids],
            'annotations': [x for x in content['annotations'] if x['image_id'] in ids],
        },
        {id_: path for id_, path in part.sources.items() if id_ in ids},
    )
