"""The commands ``m2det`` and ``mim``, and the package behind them."""

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ..compat.environment import installed_versions
from ..version import __version__
from .findings import Finding, note, ok, problem
from .packages import is_editable, root_of

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = _ROOT / 'm2det_mmdet'


def check_m2det() -> Iterator[Finding]:
    """Look where m2det comes from, and whether anything of another version is there."""
    found = list(metadata.distributions(name='m2det'))
    if not found:
        fix = f"`pip install -e '{_ROOT}[onedl]'`, if m2det is to be found elsewhere"
        yield note('m2det', f'{__version__}, not installed, in {_ROOT}', fix)
        return
    first = found[0]
    others = {x.version for x in found} - {__version__}
    if others:
        installed = ', '.join(sorted(others))
        words = f'{__version__} in {_ROOT}, and {installed} is installed'
        yield problem('m2det', words, '`pip uninstall m2det`, then install it again')
    elif root_of(first) != _ROOT:
        fix = f'take {_ROOT} out of PYTHONPATH unless you want that'
        words = f'{__version__} in {_ROOT}, not the installed one in {root_of(first)}'
        yield note('m2det', words, fix)
    else:
        kind = 'editable' if is_editable(first) else 'installed'
        yield ok('m2det', f'{__version__}, {kind}, in {_ROOT}')
        yield from _stale(first)


def check_command() -> Iterator[Finding]:
    """Look whether ``m2det`` in the shell is the one of this Python."""
    yield from _check_script('m2det', '`pip install m2det`')


def check_mim() -> Iterator[Finding]:
    """Look whether ``mim`` in the shell is the one of this Python."""
    if not installed_versions(['onedl-mim', 'openmim']):
        found = 'not installed; only `mim train mmdet ...` needs it'
        yield note('command mim', found, '`pip install onedl-mim`')
        return
    yield from _check_script('mim', '`pip install --force-reinstall onedl-mim`')


def _check_script(name: str, installation: str) -> Iterator[Finding]:
    """Look for a command where the shell would."""
    label, here = f'command {name}', Path(sysconfig.get_path('scripts'))
    place = shutil.which(name)
    if place is None and not any(here.glob(f'{name}*')):
        yield note(label, f'there is none in {here}', installation)
    elif place is None:
        fix = f'put {here} on PATH, as activating the environment does'
        yield note(label, f'in {here}, which is not on PATH', fix)
    elif _is_of_this_python(Path(place), here):
        yield ok(label, place)
    else:
        found = f'{place} on PATH belongs to another Python than {sys.executable}'
        fix = f'activate this environment, or call {here / name}'
        yield problem(label, found, fix)


def _is_of_this_python(script: Path, here: Path) -> bool:
    """Whether a script lies with this Python, or says that it runs by it."""
    if script.parent.resolve() == here.resolve():
        return True
    with open(script, 'rb') as file:
        line = file.readline(1000).decode(errors='replace')
    if not line.startswith('#!'):
        return False
    interpreter = Path(line[2:].strip().strip('"'))
    # Not what links lead to: the Pythons of two environments may be one file.
    return interpreter.parent.resolve() == Path(sys.executable).parent.resolve()


def _stale(distribution: metadata.Distribution) -> Iterator[Finding]:
    """Look for modules of an earlier version, which pip does not know of."""
    if is_editable(distribution):
        return
    known = {Path(file.locate()).resolve() for file in distribution.files or ()}
    left = [path for path in _PACKAGE.rglob('*.py') if path.resolve() not in known]
    if known and left:
        found = f'{len(left)} that pip does not know, as {left[0].relative_to(_ROOT)}'
        fix = f'`pip uninstall m2det`, remove {_PACKAGE}, and install it again'
        yield problem('files of m2det', found, fix)
