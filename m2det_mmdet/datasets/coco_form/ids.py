"""What entries name each other by: ids that are twice, lead nowhere, or are words."""

import os
from collections.abc import Container, Iterator
from itertools import count
from typing import Any

from ...utils.values import is_count
from ..faults import Level, new_kind
from ..values import is_whole
from .report import FileReport
from .rules import REFERENCES, Entries, place, wrong
from .values import read_number

WORD_ID = new_kind(
    'id-word',
    Level.NOTE,
    'images or classes whose id is a word, or too large a number',
    'They are numbered.',
)
IMAGE_ID_TWICE = new_kind(
    'image-id-twice',
    Level.FAULT,
    'images that share an id with another image',
    'They and their objects are left out: give each image an id of its own.',
)
IMAGE_LISTED_TWICE = new_kind(
    'image-listed-twice',
    Level.FAULT,
    'images that an annotation file lists again',
    'All their objects are taken for those of the first entry: list an image once.',
)
CATEGORY_ID_TWICE = new_kind(
    'category-id-twice',
    Level.STOP,
    'classes that share an id with another class',
    'Give each class an id of its own.',
)
CATEGORY_TWICE = new_kind(
    'category-twice',
    Level.FAULT,
    'classes that an annotation file lists again',
    'They are taken for one: rename or merge them.',
)
ORPHAN_IMAGE = new_kind(
    'orphan-image',
    Level.FAULT,
    'objects of images that are not listed, or cannot be read',
    'They are left out: list the images, or remove the objects.',
)
ORPHAN_CATEGORY = new_kind(
    'orphan-category',
    Level.FAULT,
    'objects of classes that are not listed, or cannot be read',
    'They are left out: list the classes, or remove the objects.',
)
ANNOTATION_ID_ZERO = new_kind(
    'annotation-id-zero',
    Level.NOTE,
    'objects of the id 0, which evaluations take for "not found"',
    'They get another id.',
)
ANNOTATION_ID_TWICE = new_kind(
    'annotation-id-twice',
    Level.NOTE,
    'objects that share an id with another object',
    'They get another id.',
)
ANNOTATION_ID_MISSING = new_kind(
    'annotation-id-missing',
    Level.NOTE,
    'objects without an id that is a whole number from 0 on',
    'They get one.',
)

_ORPHANS = {'image_id': ORPHAN_IMAGE, 'category_id': ORPHAN_CATEGORY}


def number_words(
    lists: dict[str, Entries], name: str, key: str, report: FileReport
) -> None:
    """Give entries whose ids are words numbers, and objects that name them the same.

    Args:
        lists: The lists of a file.
        name: That of the entries.
        key: By which objects name them.
        report: Gets what is wrong.
    """
    ids = [entry.get('id') for entry in lists[name].values()]
    words = dict.fromkeys(filter(_is_word, ids))
    used = {_number(id_) for id_ in ids if isinstance(id_, str | int | float)}
    numbers = dict(zip(words, _unused(used), strict=False))
    for index, entry in lists[name].items():
        if _is_word(entry.get('id')):
            report(WORD_ID, wrong(name, index, entry, 'id'))
            entry['id'] = numbers[entry['id']]
    for annotation in lists['annotations'].values():
        if _is_word(annotation.get(key)):
            annotation[key] = numbers.get(annotation[key], annotation[key])


def join_images(lists: dict[str, Entries], report: FileReport) -> None:
    """Let an id stand for one image, and an image have one id.

    Args:
        lists: The lists of a file, with mended values.
        report: Gets what is wrong.
    """
    names: dict[Any, set[str]] = {}
    for image in lists['images'].values():
        names.setdefault(image['id'], set()).add(image['file_name'])
    first: dict[str, Any] = {}
    others: dict[Any, Any] = {}
    for index, image in [*lists['images'].items()]:
        id_, name = image['id'], os.path.normpath(image['file_name'])
        if len(names[id_]) > 1:
            report(IMAGE_ID_TWICE, f"has the id {id_} more than once in 'images'")
        elif name in first:
            others[id_] = first[name]
            report(
                IMAGE_LISTED_TWICE,
                f"lists {name} more than once in 'images', by the ids {first[name]} "
                f'and {id_}: list it once',
            )
        else:
            first[name] = id_
            continue
        del lists['images'][index]
    _refer(lists['annotations'], 'image_id', others)


def join_categories(lists: dict[str, Entries], report: FileReport) -> None:
    """Let an id stand for one class, and a class have one id.

    Args:
        lists: The lists of a file, with mended values.
        report: Gets what is wrong.
    """
    names: dict[Any, str] = {}
    first: dict[str, Any] = {}
    others: dict[Any, Any] = {}
    for index, category in [*lists['categories'].items()]:
        id_, name = category['id'], category['name']
        if names.setdefault(id_, name) != name:
            report(
                CATEGORY_ID_TWICE,
                f"has the id {id_} more than once in 'categories', for "
                f'{names[id_]} and for {name}: give each class its own',
            )
        elif name in first:
            others[id_] = first[name]
            report(
                CATEGORY_TWICE,
                f'has the category {name} more than once: rename or merge them',
            )
        else:
            first[name] = id_
            continue
        del lists['categories'][index]
    _refer(lists['annotations'], 'category_id', others)


def leave_out_orphans(lists: dict[str, Entries], report: FileReport) -> None:
    """Remove objects that name an image or a class that is not there.

    Args:
        lists: The lists of a file, with mended values.
        report: Gets what is wrong.
    """
    for key, others in REFERENCES.items():
        known = {other['id'] for other in lists[others].values()}
        for index, entry in [*lists['annotations'].items()]:
            if entry[key] not in known:
                report(
                    _ORPHANS[key],
                    f'gives the {key} {entry[key]} in '
                    f'{place("annotations", index, entry, key)}, which no entry of '
                    f'{others} that can be read has as its id: add it to {others} or '
                    'remove the object',
                )
                del lists['annotations'][index]


def number_annotations(annotations: Entries, report: FileReport) -> None:
    """Give objects without an id of their own another one.

    Args:
        annotations: The objects, with the ids of the file or ``None``.
        report: Gets what is wrong.
    """
    ids = (entry['id'] for entry in annotations.values())
    unused = _unused({id_ for id_ in ids if is_count(id_)})
    seen: set[int] = set()
    for index, entry in annotations.items():
        id_ = entry['id']
        if not is_count(id_):
            report(ANNOTATION_ID_MISSING, wrong('annotations', index, entry, 'id'))
        elif id_ == 0:
            report(ANNOTATION_ID_ZERO, f'gives annotations[{index}] the id 0')
        elif id_ in seen:
            report(
                ANNOTATION_ID_TWICE, f"has the id {id_} more than once in 'annotations'"
            )
        else:
            seen.add(id_)
            continue
        entry['id'] = next(unused)


def _refer(annotations: Entries, key: str, others: dict[Any, Any]) -> None:
    for annotation in annotations.values() if others else ():
        annotation[key] = others.get(annotation[key], annotation[key])


def _unused(used: Container[Any]) -> Iterator[int]:
    return (number for number in count(1) if number not in used)


def _is_word(id_: Any) -> bool:
    return (
        isinstance(id_, str | int)
        and not isinstance(id_, bool)
        and not is_whole(_number(id_))
    )


def _number(id_: str | int | float) -> int | float | None:
    return read_number(id_) if isinstance(id_, str) else id_
