"""The YAML file that describes a data set in YOLO's form."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ....utils.regular_files import read_regular
from ....utils.texts import one_line, shown
from ....utils.values import is_count
from ...error import DatasetError
from ...faults import Faults, Level, new_kind
from ...values import is_text
from ..places import PATH_FOREIGN, tails
from ..splits import NAMES

SPLIT_MISSING = new_kind(
    'split-missing',
    Level.FAULT,
    'paths of a split in the YAML file that do not exist',
    'They are left out: correct them, relative to the file.',
)
TEST_MISSING = new_kind(
    'test-missing',
    Level.NOTE,
    'paths of the test split in the YAML file that do not exist',
    'They are left out: correct them if you want to test.',
)
NAMES_COUNT = new_kind(
    'names-count',
    Level.FAULT,
    'files whose number of classes is not that of their names',
    'The names count: correct nc.',
)

_MOST_VALUES = 1_000_000  # of a file, where aliases stand for what they repeat


class Description(NamedTuple):
    """What the file says.

    Attributes:
        classes: Names in the order of their numbers.
        places: Folders or lists of images of each split.
        num_key_values: How many numbers of key points follow a box in a label, by
            ``kpt_shape``: 0 if that is null, ``None`` if there is no such key.
    """

    classes: tuple[str, ...]
    places: dict[str, list[Path]]
    num_key_values: int | None


def find_description(root: Path) -> Path | None:
    """Return ``data.yaml``, or else the YAML file that has names and a split.

    Raises:
        DatasetError: If there are several.
    """
    if (root / 'data.yaml').is_file():
        return root / 'data.yaml'
    paths = sorted((*root.glob('*.yaml'), *root.glob('*.yml')))
    found = [path for path in paths if _describes_data(path)]
    if len(found) > 1:
        listing = ', '.join(path.name for path in found)
        raise DatasetError(
            f'The data folder {root} has several descriptions, {listing}: rename the '
            'one to use to data.yaml.'
        )
    return found[0] if found else None


def read_description(path: Path, faults: Faults) -> Description:
    """Read the classes, the folders or lists of images, and the form of the labels.

    Paths are relative to ``path`` in the file, or else to the file's folder. Roboflow
    writes a wrong ``../`` in front; if a path does not exist, it is tried without that,
    and then without the folders of another machine. What still does not exist is
    reported and left out.

    Raises:
        DatasetError: If the file cannot be read, or gives no names for the classes.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise DatasetError(f'The file {path} has no keys: write names, train and val.')
    places = {}
    for split, names in NAMES.items():
        entries = next((content[name] for name in names if content.get(name)), [])
        entries = entries if isinstance(entries, list) else [entries]
        found = [_resolve(path, content, split, entry, faults) for entry in entries]
        if any(found):
            places[split] = [place for place in found if place]
    classes = _classes(path, content, faults)
    return Description(classes, places, _key_values(path, content))


def _load(path: Path) -> Any:
    try:
        loader = yaml.SafeLoader(read_regular(path).decode('utf-8-sig'))
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > _MOST_VALUES:
            raise ValueError(f'its aliases stand for over {_MOST_VALUES} values')
        return loader.construct_document(node)
    except RecursionError as error:
        raise DatasetError(
            f'The file {path} nests lists or keys too deeply: mend it.'
        ) from error
    # PyYAML raises the last three for a value that its tag does not fit, as !!int ''.
    except (OSError, yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        problem = one_line(error).split('; use sys.')[0]
        raise DatasetError(
            f'The file {path} cannot be read as YAML ({problem}): mend it.'
        ) from error


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Count the values below a node, those behind aliases each time they are named."""
    if id(node) not in known:
        # What holds itself is endless.
        known[id(node)] = math.inf
        parts = [] if isinstance(node, yaml.ScalarNode) else node.value
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _describes_data(path: Path) -> bool:
    try:
        content = _load(path)
    except DatasetError:
        return False
    return isinstance(content, dict) and {'names', 'train'} <= content.keys()


def _classes(path: Path, content: dict, faults: Faults) -> tuple[str, ...]:
    names = content.get('names')
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise DatasetError(
                f'The file {path} numbers its names {shown([*names])}: '
                'number them from 0 on without gaps.'
            )
        names = [names[index] for index in range(len(names))]
    if not names or not isinstance(names, list):
        raise DatasetError(
            f'The file {path} gives names: {shown(names)}: list the names of the '
            'classes.'
        )
    # YAML does not read a class called no, on or 1.5 as text.
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise DatasetError(
            f'The file {path} has the name {shown(wrong[0])}, which YAML does not '
            'read as text: put it in quotes.'
        )
    unseen = [name for name in names if not is_text(name)]
    if unseen:
        raise DatasetError(
            f'The file {path} has the name {shown(unseen[0])}, which is not text of '
            'one line: give the class another.'
        )
    if content.get('nc', len(names)) != len(names):
        faults.report(
            NAMES_COUNT,
            f'The file {path} gives {len(names)} names, but nc: '
            f'{shown(content["nc"])}: make them agree.',
        )
    return tuple(names)


def _key_values(path: Path, content: dict) -> int | None:
    if 'kpt_shape' not in content:
        return None
    shape = content['kpt_shape']
    if shape is None:
        return 0
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(map(is_count, shape))
        or shape[1] not in (2, 3)
    ):
        raise DatasetError(
            f'The file {path} gives kpt_shape: {shown(shape)}: write the number of key '
            'points, and 2 or 3 numbers for each, as [17, 3].'
        )
    return shape[0] * shape[1]


def _resolve(
    path: Path, content: dict, split: str, entry: Any, faults: Faults
) -> Path | None:
    """Return the path of an entry; ``None`` if there is nothing."""
    base = content.get('path') or ''
    for key, value in (('path', base), (split, entry)):
        if not isinstance(value, str | int):
            raise DatasetError(
                f'The file {path} gives {key}: {shown(value)}, which is no path: '
                f'correct it, relative to {path.parent}.'
            )
    names = dict.fromkeys((str(entry), str(entry).removeprefix('../')))
    folders = (path.parent / str(base), path.parent)
    found = _first([folder / name for folder in folders for name in names])
    said = f'The file {path} gives {split}: {one_line(entry)}, which does not exist'
    if found is None:
        found = _first([path.parent / tail for tail in tails(str(entry), split)])
        if found is not None:
            faults.report(PATH_FOREIGN, f'{said} here: {found} is taken.')
    if found is None and split == 'test':
        faults.report(TEST_MISSING, f'{said}: no test.')
    elif found is None:
        faults.report(SPLIT_MISSING, f'{said}: correct it, relative to {path.parent}.')
    return found


def _first(places: Sequence[Path]) -> Path | None:
    # Unlike those of Path, these take names that the operating system refuses.
    found = next((x for x in places if os.path.isdir(x) or os.path.isfile(x)), None)
    return None if found is None else Path(os.path.normpath(found))
