"""Classes with few objects or none, and splits with few images."""

from collections import Counter

from ..faults import Faults, Level, new_kind
from ..layouts.folder import DataFolder, Part

CLASS_NOT_LEARNED = new_kind(
    'class-not-in-train',
    Level.FAULT,
    'classes without an object to learn from',
    'They are never found: add pictures of them, or remove the class.',
)
CLASS_NOT_TESTED = new_kind(
    'class-not-in-val',
    Level.FAULT,
    'classes without an object to validate on',
    'The AP says nothing about them: move pictures of them from train to val.',
)
CLASS_RARE = new_kind(
    'class-rare',
    Level.NOTE,
    'classes with fewer than 10 objects to learn from',
    'They are hardly ever found: add pictures of them.',
)
CLASSES_UNBALANCED = new_kind(
    'classes-unbalanced',
    Level.NOTE,
    'classes with less than 1/100 of the objects of the most frequent one',
    "mmdet's ClassBalancedDataset shows their pictures more often.",
)
CLASSES_ALIKE = new_kind(
    'classes-alike',
    Level.FAULT,
    'classes whose names differ in upper case or spaces alone',
    'They are learned as different: if they are one class, give them one name.',
)
IMAGES_EMPTY = new_kind(
    'images-empty',
    Level.NOTE,
    'images without an object',
    'Training leaves them out, unless filter_empty_gt is False; tests use them.',
)
IMAGES_FEW = new_kind(
    'images-few',
    Level.NOTE,
    'splits with few images: below 50 to learn from, or below 20 to test on',
    'The AP is uncertain: add pictures.',
)

_FEWEST_OBJECTS = 10
_GREATEST_RATIO = 100
_FEWEST_IMAGES = {'train': 50, 'val': 20, 'test': 20}


def count_objects(folder: DataFolder) -> dict[str, dict[str, int]]:
    """Count the objects of each split by their class, crowds left out."""
    return {split: _count(folder.classes, part) for split, part in folder.parts.items()}


def check_balance(folder: DataFolder, faults: Faults) -> None:
    """Count objects by class, and images by split."""
    counts = count_objects(folder)
    _check_names(folder, faults)
    if 'train' in counts:
        _check_learned(counts['train'], faults)
    for name, count in counts.get('val', {}).items():
        # Else the missing object to learn from is what matters.
        if count == 0 and counts.get('train', {}).get(name):
            faults.report(CLASS_NOT_TESTED, f'The class {name} has no object in val.')
    for split, part in folder.parts.items():
        _check_images(split, part, faults)


def _count(classes: tuple[str, ...], part: Part) -> dict[str, int]:
    counts = Counter(
        x['category_id'] for x in part.content['annotations'] if not x.get('iscrowd')
    )
    by_name = {x['name']: counts[x['id']] for x in part.content['categories']}
    return {name: by_name.get(name, 0) for name in classes}


def _check_names(folder: DataFolder, faults: Faults) -> None:
    first: dict[str, str] = {}
    for name in folder.classes:
        former = first.setdefault(''.join(name.casefold().split()), name)
        if former != name:
            faults.report(CLASSES_ALIKE, f'{former!r} and {name!r} are two classes.')


def _check_learned(counts: dict[str, int], faults: Faults) -> None:
    most = max(counts.values(), default=0)
    frequent = max(counts, key=counts.__getitem__, default='')
    for name, count in counts.items():
        if count == 0:
            faults.report(
                CLASS_NOT_LEARNED, f'The class {name} has no object in train.'
            )
        elif count < _FEWEST_OBJECTS:
            faults.report(CLASS_RARE, f'The class {name} has {count} in train.')
        if 0 < count * _GREATEST_RATIO < most:
            faults.report(
                CLASSES_UNBALANCED,
                f'The class {name} has {count} in train, where {frequent} has {most}.',
            )


def _check_images(split: str, part: Part, faults: Faults) -> None:
    images = part.content['images']
    used = {x['image_id'] for x in part.content['annotations']}
    empty = [x['file_name'] for x in images if x['id'] not in used]
    if empty:
        share = len(empty) / len(images)
        faults.report(
            IMAGES_EMPTY,
            f'{len(empty)} of {len(images)} images of {split} ({share:.0%}), as '
            f'{empty[0]}, have no object.',
            len(empty),
        )
    if len(images) < _FEWEST_IMAGES.get(split, 0):
        faults.report(IMAGES_FEW, f'The split {split} has {len(images)} images.')
