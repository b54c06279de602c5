"""Values of entries that break their rule, read as what they stand for or left out."""

from collections.abc import Iterator
from typing import Any

from ...utils.values import is_number
from ..faults import Level, new_kind
from ..values import is_box, is_segmentation, is_shallow
from .report import FileReport
from .rules import RULES, Entries, missing, wrong

ENTRY_UNREADABLE = new_kind(
    'entry-unreadable',
    Level.FAULT,
    'images, objects or classes in annotation files that cannot be read',
    'They are left out: mend or remove them.',
)
VALUE_CONVERTED = new_kind(
    'value-converted',
    Level.NOTE,
    'numbers that are written as text, or the reverse',
    'They are read as what they stand for.',
)
VALUE_DROPPED = new_kind(
    'value-dropped',
    Level.NOTE,
    'values that cannot be read, and that no detector of boxes needs',
    'They are left out.',
)
FLAG_UNREADABLE = new_kind(
    'flag-unreadable',
    Level.FAULT,
    'objects of which nobody can tell whether they are crowds or ignored',
    'They count as ordinary objects: write 0 or 1.',
)
BOX_FROM_POLYGON = new_kind(
    'box-from-polygon',
    Level.NOTE,
    'objects with a polygon and without a box',
    'Their box is the one around the polygon.',
)
ROTATED_BOX = new_kind(
    'rotated-box',
    Level.FAULT,
    'rotated boxes: five numbers with an angle, or eight of corners',
    'They are left out: export upright boxes, or polygons.',
)

_FLAGS = ('iscrowd', 'ignore')
_LENGTHS_OF_ROTATED_BOXES = (5, 8)


def mend_values(name: str, entries: Entries, report: FileReport) -> None:
    """Mend the values of a list's entries, and remove entries that nobody can read.

    An annotation's id is left as it is, or ``None``: nothing refers to it.

    Args:
        name: Name of the list.
        entries: Its entries, which are changed.
        report: Gets what is wrong.
    """
    for index, entry in [*entries.items()]:
        if not _mend(name, index, entry, report):
            del entries[index]


def read_number(text: str) -> int | float | None:
    """Return the number that a text stands for, if it does."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _mend(name: str, index: int, entry: dict[str, Any], report: FileReport) -> bool:
    """Mend an entry; tell whether it can be used."""
    for key, rule in RULES[name].items():
        if (
            key in entry
            and not rule.holds(entry[key])
            and not _convert(name, index, entry, key, report)
            and not _do_without(name, index, entry, key, report)
        ):
            return False
    if name == 'annotations':
        entry.setdefault('id', None)
        if 'bbox' not in entry:
            _take_polygon(index, entry, report)
    if name == 'categories':
        _drop_deep_values(index, entry, report)
    problem = missing(name, index, entry)
    if problem is not None:
        report(ENTRY_UNREADABLE, problem)
    return problem is None


def _convert(
    name: str, index: int, entry: dict[str, Any], key: str, report: FileReport
) -> bool:
    """Replace a value by what it stands for, if that keeps the rule."""
    for value in _readings(entry[key]):
        if RULES[name][key].holds(value):
            report(VALUE_CONVERTED, wrong(name, index, entry, key))
            entry[key] = value
            return True
    return False


def _readings(value: Any) -> Iterator[Any]:
    """Yield what a value may stand for."""
    if isinstance(value, str):
        if (number := read_number(value)) is not None:
            yield number
    elif isinstance(value, list):
        yield [read_number(x) if isinstance(x, str) else x for x in value]
    elif is_number(value):
        yield str(value)
        if value == int(value):
            yield int(value)


def _do_without(
    name: str, index: int, entry: dict[str, Any], key: str, report: FileReport
) -> bool:
    """Use an entry without a value that nobody can read; tell whether that is possible.

    What has no value of its own gets it later.
    """
    value, problem = entry[key], wrong(name, index, entry, key)
    if key == 'bbox' and _take_polygon(index, entry, report):
        return True
    if RULES[name][key].needed and (name, key) != ('annotations', 'id'):
        kind = ROTATED_BOX if key == 'bbox' and _is_rotated(value) else ENTRY_UNREADABLE
        report(kind, f'{problem}: mend or remove it')
        return False
    if key in _FLAGS:
        report(VALUE_DROPPED if value is None else FLAG_UNREADABLE, problem)
        entry[key] = 0
    elif key == 'area':
        del entry[key]
        report.changed = True
    elif key != 'id':
        report(VALUE_DROPPED, problem)
        del entry[key]
    return True


def _take_polygon(index: int, entry: dict[str, Any], report: FileReport) -> bool:
    """Give an object the box around its polygons, if it has any."""
    polygons = entry.get('segmentation')
    if not isinstance(polygons, list) or not is_segmentation(polygons):
        return False
    xs = [x for polygon in polygons for x in polygon[0::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    if not xs or not ys:
        return False
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    # The rule of segmentations looks at sums alone.
    if not is_box(box):
        return False
    entry['bbox'] = box
    report(BOX_FROM_POLYGON, f'has no box that can be read in annotations[{index}]')
    return True


def _is_rotated(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in _LENGTHS_OF_ROTATED_BOXES
        and all(map(is_number, value))
    )


def _drop_deep_values(index: int, entry: dict[str, Any], report: FileReport) -> None:
    for key in [key for key, value in entry.items() if not is_shallow(value)]:
        del entry[key]
        report(
            VALUE_DROPPED,
            f'nests lists or objects too deeply in {key!r} of categories[{index}]',
        )
