"""The YAML file that describes a data set in YOLO's form."""

import logging
import os
from pathlib import Path
from typing import Any

import yaml
from mmengine.logging import print_log

from ...coco import DatasetError
from ..splits import NAMES


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


def read_description(path: Path) -> tuple[tuple[str, ...], dict[str, list[Path]]]:
    """Read the classes, and the folders or lists of images of each split.

    Paths are relative to ``path`` in the file, or else to the file's folder. Roboflow
    writes a wrong ``../`` in front; if a path does not exist, it is tried without that.

    Raises:
        DatasetError: If the file lacks a key, or a path does not exist. A missing test
            split is only logged.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise DatasetError(f'The file {path} has no keys: write names, train and val.')
    places = {}
    for split, names in NAMES.items():
        entries = next((content[name] for name in names if content.get(name)), [])
        entries = entries if isinstance(entries, list) else [entries]
        found = [_resolve(path, content, split, entry) for entry in entries]
        if any(found):
            places[split] = [place for place in found if place]
    return _classes(path, content), places


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = ' '.join(str(error).split())
        raise DatasetError(
            f'The file {path} cannot be read as YAML ({problem}): mend it.'
        ) from error


def _describes_data(path: Path) -> bool:
    try:
        content = _load(path)
    except DatasetError:
        return False
    return isinstance(content, dict) and {'names', 'train'} <= content.keys()


def _classes(path: Path, content: dict) -> tuple[str, ...]:
    names = content.get('names')
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise DatasetError(
                f'The file {path} numbers its names {", ".join(map(str, names))}: '
                'number them from 0 on without gaps.'
            )
        names = [names[index] for index in range(len(names))]
    if not names or not isinstance(names, list):
        raise DatasetError(
            f'The file {path} gives names: {names}: list the names of the classes.'
        )
    # YAML does not read a class called no, on or 1.5 as text.
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise DatasetError(
            f'The file {path} has the name {wrong[0]!r}, which YAML does not read '
            'as text: put it in quotes.'
        )
    if content.get('nc', len(names)) != len(names):
        raise DatasetError(
            f'The file {path} gives {len(names)} names, but nc: {content["nc"]}: '
            'make them agree.'
        )
    return tuple(names)


def _resolve(path: Path, content: dict, split: str, entry: Any) -> Path | None:
    """Return the path of an entry; ``None`` for a missing test split."""
    base = path.parent / str(content.get('path') or '')
    names = dict.fromkeys((str(entry), str(entry).removeprefix('../')))
    places = [folder / name for folder in (base, path.parent) for name in names]
    found = next((place for place in places if place.exists()), None)
    if found is not None:
        return Path(os.path.normpath(found))
    problem = f'The file {path} gives {split}: {entry}, which does not exist'
    if split != 'test':
        raise DatasetError(f'{problem}: correct it, relative to {path.parent}.')
    print_log(f'{problem}: no test.', logger='current', level=logging.WARNING)
    return None
