"""Annotation files with faults, mended as far as the truth is certain."""

from typing import Any

from ...utils.areas import fill_areas
from ..faults import Faults, Level, new_kind
from ..values import is_shallow
from .ids import (
    join_categories,
    join_images,
    leave_out_orphans,
    number_annotations,
    number_words,
)
from .report import FileReport
from .rules import REFERENCES, RULES, Entries, no_entry, no_list, no_object
from .values import ENTRY_UNREADABLE, VALUE_DROPPED, mend_values

COCO_FORM = new_kind(
    'coco-form',
    Level.STOP,
    'files that are not in the form of COCO',
    'Export the data again.',
)
AREA_MISSING = new_kind(
    'area-missing',
    Level.NOTE,
    'objects without an area, or with one of 0',
    'Their area is that of their box.',
)
ISCROWD_MISSING = new_kind(
    'iscrowd-missing',
    Level.NOTE,
    'objects that do not say whether they are crowds',
    'They are none.',
)


def mend_annotations(
    content: Any, source: str, faults: Faults
) -> tuple[dict[str, Any], bool]:
    """Mend what an annotation file holds; what nobody can read is left out.

    Args:
        content: The parsed file, which is not changed.
        source: The file's name, for the sentences.
        faults: Gets what is wrong.

    Returns:
        Content that :func:`check_annotations` accepts, and whether it differs from the
        file's.
    """
    report = FileReport(source, faults)
    if not isinstance(content, dict):
        report(COCO_FORM, no_object(content))
        return {name: [] for name in RULES}, True
    lists = {name: _entries(name, content, report) for name in RULES}
    for key, name in REFERENCES.items():
        number_words(lists, name, key, report)
    for name, entries in lists.items():
        mend_values(name, entries, report)
    join_images(lists, report)
    join_categories(lists, report)
    leave_out_orphans(lists, report)
    number_annotations(lists['annotations'], report)
    _complete(lists['annotations'], report)
    if not is_shallow(content.get('info')):
        report(VALUE_DROPPED, "nests lists or objects too deeply in 'info'")
    if not report.changed:
        return content, False
    return {name: [*entries.values()] for name, entries in lists.items()}, True


def _entries(name: str, content: dict[str, Any], report: FileReport) -> Entries:
    """Return copies of the objects in a list."""
    problem = no_list(name, content)
    if problem is not None:
        report(COCO_FORM, problem)
        return {}
    entries = {}
    for index, entry in enumerate(content[name]):
        problem = no_entry(name, index, entry)
        if problem is None:
            entries[index] = {**entry}
        else:
            report(ENTRY_UNREADABLE, problem)
    return entries


def _complete(annotations: Entries, report: FileReport) -> None:
    """Add what can be told of the rest of an object."""
    # Ids are new ones where the file's were of no use.
    places = {entry['id']: index for index, entry in annotations.items()}
    for annotation in fill_areas(annotations.values()):
        place = f'annotations[{places[annotation["id"]]}]'
        report(AREA_MISSING, f'has no area above 0 in {place}')
    for index, annotation in annotations.items():
        if 'iscrowd' not in annotation:
            annotation['iscrowd'] = 0
            report(ISCROWD_MISSING, f'has no iscrowd in annotations[{index}]')
