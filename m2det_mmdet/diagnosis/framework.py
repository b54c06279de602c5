"""Python and MMDetection: whether there is one whole line of it, untouched."""

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ..compat.environment import (
    find_danger,
    find_faults,
    framework_modules,
    framework_versions,
    lines_of,
)
from .findings import Finding, note, ok, problem, stop
from .packages import reinstallation

_TESTED_PYTHON = ((3, 10), (3, 12))
_FOLDERS = ('mmdet', 'mmcv', 'mmengine')


def check_python() -> Iterator[Finding]:
    """Look at the version of Python."""
    first, last = ('.'.join(map(str, version)) for version in _TESTED_PYTHON)
    version = '.'.join(map(str, sys.version_info[:3]))
    if sys.version_info < _TESTED_PYTHON[0]:
        fix = f'make an environment of Python {first} to {last}'
        yield stop('Python', version, fix)
    elif sys.version_info[:2] > _TESTED_PYTHON[1]:
        yield note('Python', f'{version}, tested with {first} to {last}')
    else:
        yield ok('Python', version)


def check_line() -> Iterator[Finding]:
    """Look for one whole line of MMDetection, and versions that can work."""
    name = 'line of MMDetection'
    versions = framework_versions()
    faults = 0
    try:
        for fault in find_faults(versions, framework_modules()):
            faults += 1
            yield stop(name, fault.what, fault.fix)
    # Versions are compared last.
    except ImportError:
        yield stop('packaging', 'not installed', '`pip install packaging`')
        return
    if faults:
        return
    yield ok(name, ' and '.join(lines_of(versions)) or 'a source checkout')
    danger = find_danger(versions)
    if danger is not None:
        yield problem('checkpoints of others', danger.what, danger.fix)


def check_files() -> Iterator[Finding]:
    """Compare the files of MMDetection with the list that pip keeps of them.

    Where another line was installed over it, or removed from it, they differ.
    """
    label = 'files of MMDetection'
    versions = framework_versions()
    if len(lines_of(versions)) > 1:
        yield note(label, 'not looked at, because there are two lines')
        return
    sound = []
    # PyTorch has no second line, and very many files.
    for name in versions.keys() - {'torch'}:
        missing, other = _damage(metadata.distribution(name))
        if missing:
            found = f'{name}: {len(missing)} missing, as {missing[0]}'
            yield problem(label, found, reinstallation(name))
        elif other:
            found = f'{name}: {len(other)} changed, as {other[0]}'
            yield problem(label, found, reinstallation(name))
        else:
            sound.append(name)
    if sound:
        yield ok(label, f'as installed: {", ".join(sorted(sound))}')


def _damage(distribution: metadata.Distribution) -> tuple[list[str], list[str]]:
    """Files of a distribution that are missing, and those of another size."""
    missing, other = [], []
    for file in distribution.files or ():
        # Several packages leave files beside their folder, and under the same names.
        if file.suffix != '.py' or file.parts[0] not in _FOLDERS:
            continue
        path = Path(file.locate())
        if not path.is_file():
            missing.append(str(file))
        elif file.size is not None and path.stat().st_size != file.size:
            other.append(str(file))
    return missing, other
