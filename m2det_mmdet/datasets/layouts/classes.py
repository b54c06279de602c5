"""The classes of all splits, which must be the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..error import DatasetError
from ..faults import Faults, Level, new_kind
from .parts import Part

CLASSES_DIFFER = new_kind(
    'classes-differ',
    Level.FAULT,
    'splits with other classes than train, or in another order',
    'They are put in one order by their names: export the splits together.',
)


def common_classes(
    parts: Mapping[str, Part], place: Callable[[str], str], faults: Faults
) -> tuple[str, ...]:
    """Return the classes, and make the categories of all splits the same.

    A category without objects that is the parent of others is not a class: Roboflow
    writes one into each export.

    Args:
        parts: The splits, with ``train``, in each of which names are unique; their
            categories are changed where needed.
        place: Names the file or folder of a split.
        faults: Gets differences.

    Raises:
        DatasetError: If there is no class.
    """
    names = {split: _names(part) for split, part in parts.items()}
    differing = [split for split in names if names[split] != names['train']]
    for split in differing:
        faults.report(
            CLASSES_DIFFER,
            f'The categories of {_noun(place(split))} are {_join(names[split])}, but '
            f'those of {_noun(place("train"))} are {_join(names["train"])}: give both '
            'the same, in the same order.',
        )
    if differing:
        _merge(parts.values())
    unused = set.intersection(*map(_unused_parents, parts.values()))
    classes = tuple(x for x in _names(parts['train']) if x not in unused)
    if not classes:
        raise DatasetError(
            f'{place("train")} has no category: export it with its classes.'
        )
    return classes


def _names(part: Part) -> list[str]:
    return [category['name'] for category in part.content['categories']]


def _noun(place: str) -> str:
    return place.removeprefix('The annotation file ').replace('The ', 'the ', 1)


def _join(names: Sequence[str]) -> str:
    return ', '.join(map(str, names)) or 'none'


def _merge(parts: Sequence[Part]) -> None:
    """Give all parts the categories of all, each name once, the first part's first."""
    merged: dict[str, dict[str, Any]] = {}
    for part in parts:
        for category in part.content['categories']:
            entry = {**category, 'id': len(merged) + 1}
            merged.setdefault(category['name'], entry)
    for part in parts:
        ids = {x['id']: merged[x['name']]['id'] for x in part.content['categories']}
        for item in part.content['annotations']:
            item['category_id'] = ids[item['category_id']]
        part.content['categories'] = [dict(entry) for entry in merged.values()]
        part.ann_file = None


def _unused_parents(part: Part) -> set[str]:
    categories = part.content['categories']
    parents = {
        category['supercategory']
        for category in categories
        if category.get('supercategory') not in (None, category['name'])
    }
    used = {item['category_id'] for item in part.content['annotations']}
    return {
        category['name']
        for category in categories
        if category['name'] in parents and category['id'] not in used
    }
