"""The form of annotation files, checked before pycocotools and mmdet read them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..utils.texts import shown
from ..utils.values import is_count, is_number
from .error import DatasetError
from .values import (
    is_box,
    is_flag,
    is_flat,
    is_positive,
    is_segmentation,
    is_shallow,
    is_text,
    is_whole,
)


class _Rule(NamedTuple):
    holds: Callable[[Any], bool]
    wanted: str
    needed: bool = True


_ID = _Rule(is_whole, 'a whole number')
_BOX = _Rule(is_box, 'four finite numbers')
_FLAG = _Rule(is_flag, '0 or 1', needed=False)

# What CocoDataset and CocoMetric read of each entry.
_RULES = {
    'images': {
        'id': _ID,
        'file_name': _Rule(is_text, 'the name of a file'),
        'width': _Rule(is_positive, 'a positive number'),
        'height': _Rule(is_positive, 'a positive number'),
    },
    'categories': {
        'id': _ID,
        'name': _Rule(is_text, 'text of one line'),
        'supercategory': _Rule(is_flat, 'text', needed=False),
    },
    'annotations': {
        # faster-coco-eval takes ids of other kinds for "no match".
        'id': _Rule(is_count, 'a whole number from 0 on'),
        'image_id': _ID,
        'category_id': _ID,
        'bbox': _BOX,
        'area': _Rule(is_number, 'a finite number'),
        'iscrowd': _FLAG,
        'ignore': _FLAG,
        'segmentation': _Rule(
            is_segmentation, 'a list of polygons or a run-length code', needed=False
        ),
    },
}


def check_annotations(content: Any) -> None:
    """Check what an annotation file holds.

    Args:
        content: The parsed file.

    Raises:
        DatasetError: The first entry and value that is wrong, without the file's name.
    """
    if not isinstance(content, dict):
        raise DatasetError(
            f'holds {shown(content)}, where a COCO file has an object with the lists '
            f'{", ".join(_RULES)}: export it again'
        )
    for name, rules in _RULES.items():
        if name not in content:
            raise DatasetError(f'has no list {name!r}, which a COCO file needs')
        _check_entries(name, content[name], rules)
        _check_unique(name, content[name])
    _check_references('annotations', content['annotations'], content)
    # pycocotools copies them level by level.
    for name in ('info', 'categories'):
        if not is_shallow(content.get(name)):
            raise DatasetError(f'nests lists or objects too deeply in {name!r}')


def _check_entries(name: str, entries: Any, rules: dict[str, _Rule]) -> None:
    if not isinstance(entries, list):
        raise DatasetError(
            f'gives {shown(entries)} for {name}, which is no list: export it again'
        )
    needed = {key for key, rule in rules.items() if rule.needed}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DatasetError(
                f'gives {shown(entry)} for {name}[{index}], which is no object with '
                f'{", ".join(key for key in rules if key in needed)}: mend or remove it'
            )
        if not needed <= entry.keys():
            missing = [key for key in rules if key in needed - entry.keys()]
            raise DatasetError(f'lacks {", ".join(missing)} in {name}[{index}]')
    for key, rule in rules.items():
        _check_values(name, entries, key, rule)


def _check_values(name: str, entries: list[dict], key: str, rule: _Rule) -> None:
    for index, entry in enumerate(entries):
        if key in entry and not rule.holds(entry[key]):
            raise DatasetError(
                f'gives the {key} {shown(entry[key])} in '
                f'{_place(name, index, entry, key)}, which is not {rule.wanted}: mend '
                'or remove it'
            )


def _check_unique(name: str, entries: Sequence[dict]) -> None:
    seen = set()
    for entry in entries:
        if entry['id'] in seen:
            raise DatasetError(f'has the id {entry["id"]} more than once in {name!r}')
        seen.add(entry['id'])


def _check_references(name: str, entries: Sequence[dict], content: dict) -> None:
    for key, others in (('image_id', 'images'), ('category_id', 'categories')):
        known = {other['id'] for other in content[others]}
        unknown = [i for i, entry in enumerate(entries) if entry[key] not in known]
        if unknown:
            index, count = unknown[0], len(unknown)
            raise DatasetError(
                f'gives the {key} {entries[index][key]} in '
                f'{_place(name, index, entries[index], key)}, which no entry of '
                f'{others} has as its id ({count} such {name}): add it to {others} or '
                f'remove {"it" if count == 1 else "them"} from {name}'
            )


def _place(name: str, index: int, entry: dict, key: str) -> str:
    id_ = f' (id {shown(entry["id"])})' if 'id' in entry and key != 'id' else ''
    return f'{name}[{index}]{id_}'
