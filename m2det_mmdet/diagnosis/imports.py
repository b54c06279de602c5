"""Whether the packages can be imported, and m2det with them."""

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from ..utils.errors import clause_of
from .findings import ELSE_REPORT, Finding, note, ok, stop
from .packages import (
    PACKAGES,
    Package,
    broken,
    describe,
    leftover,
    place_in_the_way,
)

_AGAIN = '`pip install --force-reinstall --no-deps m2det`'


def check_import(name: str) -> Iterator[Finding]:
    """Import a package.

    Args:
        name: Its name in :data:`.packages.PACKAGES`.
    """
    package = PACKAGES[name]
    if find_spec(package.top) is None:
        yield _absent(package)
        return
    folder = leftover(package)
    if folder is not None:
        fix = f'remove {folder}, then {package.installation}'
        found = f'{folder} holds no package, only what an installation left'
        yield Finding(name, package.broken, found, fix)
        return
    if package.top == 'triton':
        choose_interpreter()
    try:
        import_module(package.module)
    # A broken installation may raise anything.
    except (Exception, SystemExit) as error:
        yield broken(package, f'cannot be imported: {clause_of(error)}')
    else:
        yield _present(package)


def check_registration() -> Iterator[Finding]:
    """Register what m2det adds to MMDetection."""
    from .. import register

    try:
        register()
    except Exception as error:
        found = f'm2det cannot be imported: {clause_of(error)}'
        yield stop('registration', found, ELSE_REPORT)
    else:
        yield ok('registration', 'MMDetection knows the modules of m2det')


def check_configs() -> Iterator[Finding]:
    """Look for the configs that commands take by their names."""
    from ..utils.configs import shipped_configs

    configs = shipped_configs()
    if configs:
        yield ok('configs', f'{len(configs)} are found by their names')
    else:
        yield stop('configs', 'there are none', _AGAIN)


def choose_interpreter() -> None:
    """Let Triton's kernels run without a GPU, before Triton is imported."""
    if not import_module('torch').cuda.is_available():
        os.environ['TRITON_INTERPRET'] = '1'


def _absent(package: Package) -> Finding:
    if package.gain:
        found = f'not installed; with it {package.gain}'
        return note(package.name, found, package.fix)
    return stop(package.name, 'not installed', package.installation)


def _present(package: Package) -> Finding:
    words, is_tested = describe(package)
    hiding = place_in_the_way(package)
    if hiding is not None:
        return note(
            package.name,
            f'{hiding} is imported, not the installed {words}',
            f'take {hiding.parent} out of PYTHONPATH unless you want that',
        )
    return (ok if is_tested else note)(package.name, words)
