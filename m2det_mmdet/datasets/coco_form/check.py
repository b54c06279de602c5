"""The form of annotation files, checked before pycocotools and mmdet read them."""

from collections.abc import Sequence
from typing import Any

from ..error import DatasetError
from ..values import is_shallow
from .rules import (
    REFERENCES,
    RULES,
    Rule,
    missing,
    no_entry,
    no_list,
    no_object,
    place,
    wrong,
)


def check_annotations(content: Any) -> None:
    """Check what an annotation file holds.

    Args:
        content: The parsed file.

    Raises:
        DatasetError: The first entry and value that is wrong, without the file's name.
    """
    if not isinstance(content, dict):
        raise DatasetError(no_object(content))
    for name, rules in RULES.items():
        _stop_at(no_list(name, content))
        _check_entries(name, content[name], rules)
        _check_unique(name, content[name])
    _check_references('annotations', content['annotations'], content)
    # pycocotools copies them level by level.
    for name in ('info', 'categories'):
        if not is_shallow(content.get(name)):
            raise DatasetError(f'nests lists or objects too deeply in {name!r}')


def _stop_at(problem: str | None) -> None:
    if problem is not None:
        raise DatasetError(problem)


def _check_entries(name: str, entries: list[Any], rules: dict[str, Rule]) -> None:
    for index, entry in enumerate(entries):
        _stop_at(no_entry(name, index, entry))
        _stop_at(missing(name, index, entry))
    for key, rule in rules.items():
        for index, entry in enumerate(entries):
            if key in entry and not rule.holds(entry[key]):
                problem = wrong(name, index, entry, key)
                raise DatasetError(f'{problem}: mend or remove it')


def _check_unique(name: str, entries: Sequence[dict]) -> None:
    seen = set()
    for entry in entries:
        if entry['id'] in seen:
            raise DatasetError(f'has the id {entry["id"]} more than once in {name!r}')
        seen.add(entry['id'])


def _check_references(name: str, entries: Sequence[dict], content: dict) -> None:
    for key, others in REFERENCES.items():
        known = {other['id'] for other in content[others]}
        unknown = [i for i, entry in enumerate(entries) if entry[key] not in known]
        if unknown:
            index, count = unknown[0], len(unknown)
            raise DatasetError(
                f'gives the {key} {entries[index][key]} in '
                f'{place(name, index, entries[index], key)}, which no entry of '
                f'{others} has as its id ({count} such {name}): add it to {others} or '
                f'remove {"it" if count == 1 else "them"} from {name}'
            )
