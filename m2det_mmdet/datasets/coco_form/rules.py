"""What CocoDataset and CocoMetric read of each entry of an annotation file."""

from collections.abc import Callable, Container
from typing import Any, NamedTuple

from ...utils.texts import shown
from ...utils.values import is_count
from ..values import (
    is_area,
    is_box,
    is_flag,
    is_flat,
    is_positive,
    is_segmentation,
    is_text,
    is_whole,
)

# Objects of a list by their index in the file.
Entries = dict[int, dict[str, Any]]


class Rule(NamedTuple):
    """What a value must be.

    Attributes:
        holds: Whether a value is so.
        wanted: The same in words.
        needed: Whether each entry has to have one.
    """

    holds: Callable[[Any], bool]
    wanted: str
    needed: bool = True


_ID = Rule(is_whole, 'a whole number')
_FLAG = Rule(is_flag, '0 or 1', needed=False)

RULES = {
    'images': {
        'id': _ID,
        'file_name': Rule(is_text, 'the name of a file'),
        'width': Rule(is_positive, 'a positive number'),
        'height': Rule(is_positive, 'a positive number'),
    },
    'categories': {
        'id': _ID,
        'name': Rule(is_text, 'text of one line'),
        'supercategory': Rule(is_flat, 'text', needed=False),
    },
    'annotations': {
        # faster-coco-eval takes ids of other kinds for "no match".
        'id': Rule(is_count, 'a whole number from 0 on'),
        'image_id': _ID,
        'category_id': _ID,
        'bbox': Rule(is_box, 'four finite numbers'),
        # What has none gets that of its box.
        'area': Rule(is_area, 'a finite number', needed=False),
        'iscrowd': _FLAG,
        'ignore': _FLAG,
        'segmentation': Rule(
            is_segmentation, 'a list of polygons or a run-length code', needed=False
        ),
    },
}
_NEEDED = {
    name: {key for key, rule in rules.items() if rule.needed}
    for name, rules in RULES.items()
}
# Which entries an object names by their ids.
REFERENCES = {'image_id': 'images', 'category_id': 'categories'}


def no_object(content: Any) -> str:
    """Say that a file holds something else."""
    return (
        f'holds {shown(content)}, where a COCO file has an object with the lists '
        f'{", ".join(RULES)}: export it again'
    )


def no_list(name: str, content: dict[str, Any]) -> str | None:
    """Say that a file has no list of a name, or return ``None`` if it has."""
    if name not in content:
        return f'has no list {name!r}, which a COCO file needs'
    value = content[name]
    if isinstance(value, list):
        return None
    return f'gives {shown(value)} for {name}, which is no list: export it again'


def no_entry(name: str, index: int, entry: Any) -> str | None:
    """Say that an entry is no object, or return ``None`` if it is one."""
    if isinstance(entry, dict):
        return None
    return (
        f'gives {shown(entry)} for {name}[{index}], which is no object with '
        f'{_listed(name, _NEEDED[name])}: mend or remove it'
    )


def missing(name: str, index: int, entry: dict[str, Any]) -> str | None:
    """Say which needed values an entry lacks, or return ``None`` if it has all."""
    if _NEEDED[name] <= entry.keys():
        return None
    return f'lacks {_listed(name, _NEEDED[name] - entry.keys())} in {name}[{index}]'


def wrong(name: str, index: int, entry: dict[str, Any], key: str) -> str:
    """Say which value breaks its rule."""
    return (
        f'gives the {key} {shown(entry[key])} in {place(name, index, entry, key)}, '
        f'which is not {RULES[name][key].wanted}'
    )


def place(name: str, index: int, entry: dict[str, Any], key: str) -> str:
    """Name the entry of a value."""
    id_ = f' (id {shown(entry["id"])})' if 'id' in entry and key != 'id' else ''
    return f'{name}[{index}]{id_}'


def _listed(name: str, keys: Container[str]) -> str:
    return ', '.join(key for key in RULES[name] if key in keys)
