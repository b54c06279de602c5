"""The names of the classes, where labels in YOLO's form have no description."""

import json
from pathlib import Path

from ...coco import load_content
from ...error import DatasetError
from ...values import is_text
from ..images import read_lines
from ..tree import Tree

_FILES = ('classes.txt', 'labels/classes.txt', 'obj.names')
# The names of such files anywhere: labelImg and Roboflow write one into each folder.
_ANYWHERE = ('classes.txt', 'obj.names', 'predefined_classes.txt', '_darknet.labels')


def read_names(tree: Tree) -> tuple[str, ...]:
    """Read the names in the order of their numbers.

    They are those of ``classes.txt`` or ``obj.names`` here, of Label Studio's
    ``notes.json``, or of such a file in another folder.

    Raises:
        DatasetError: If there are none, or two files of other folders differ.
    """
    root = tree.root
    path = next((root / name for name in _FILES if (root / name).is_file()), None)
    if path is not None:
        names = _lines(path)
    elif (root / 'notes.json').is_file():
        path = root / 'notes.json'
        names = _of_notes(path)
    else:
        path, names = _anywhere(tree)
    if not names:
        fix = 'write one name a line there'
        described = sorted(tree.with_suffix('.yaml'))
        if path is None and described:
            fix += f', or give {root / described[0]} in the place of the folder'
        raise DatasetError(
            f'The data folder {root} has labels in YOLO form, but no names for the '
            f'classes in {path or _FILES[0]}: {fix}.'
        )
    return names


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in read_lines(path) if line.strip())


def _of_notes(path: Path) -> tuple[str, ...]:
    content, _ = load_content(path)
    entries = content.get('categories') if isinstance(content, dict) else None
    try:
        names = {entry['id']: entry['name'] for entry in entries}
        ordered = tuple(names[index] for index in range(len(names)))
    except (TypeError, KeyError) as error:
        raise DatasetError(
            f'The file {path} does not list the categories with id, from 0 on, and '
            'name: export it again, or write classes.txt.'
        ) from error
    if not all(map(is_text, ordered)):
        raise DatasetError(
            f'The file {path} has the names {json.dumps(ordered)[:200]}, of which one '
            'is no text of one line: export it again, or write classes.txt.'
        )
    return ordered


def _anywhere(tree: Tree) -> tuple[Path | None, tuple[str, ...]]:
    paths = [
        tree.root / path
        for path in tree.files
        if path.rpartition('/')[2].lower() in _ANYWHERE
    ]
    found = {path: _lines(path) for path in paths}
    # labelImg adds names to the file of the folder where it works.
    longest = max(found, key=lambda path: len(found[path]), default=None)
    for path, names in found.items():
        if names != found[longest][: len(names)]:
            raise DatasetError(
                f'The files {path} and {longest} give the classes other names: leave '
                'the right one, as classes.txt in the data folder.'
            )
    return longest, found.get(longest, ())
