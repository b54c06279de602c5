"""Checks, before anything else is imported, that one line of MMDetection is there.

MMDetection exists in two lines with the same import names: open-mmlab's (``mmdet``,
``mmcv`` or ``mmcv-lite``, ``mmengine``) and the maintained onedl line. What is missing,
mixed or too old otherwise shows as an error far from its cause.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from typing import NamedTuple

from ..utils.errors import M2DetError

_INSTALL = "`pip install 'm2det[onedl]'`"

# The set-up that the tests run in: as in constraints.txt, which no wheel has.
TESTED = {
    'torch': '2.13.0',
    'onedl-mmdetection': '3.5.1',
    'onedl-mmcv': '2.3.6',
    'onedl-mmengine': '0.10.12',
    'onedl-mim': '0.5.1',
    'mmdet': '3.3.0',
    'mmcv-lite': '2.1.0',
    'mmengine': '0.10.7',
    'openmim': '0.3.9',
    'imagehash': '4.3.2',
    'safetensors': '0.8.0',
    'faster-coco-eval': '1.8.0',
    'sahi': '0.12.8',
    'timm': '1.0.31',
    'torchvision': '0.28.0',
    'grad-cam': '1.5.7',
    'supervision': '0.31.2',
    'trackers': '2.6.1',
    'numba': '0.68.1',
    'triton': '3.9.0',
    'gradio': '6.31.0',
}
# Distribution: lowest version, first version that no longer works.
_ONEDL = {
    'onedl-mmdetection': ('3.5.1', '4'),
    'onedl-mmcv': ('2.3.6', '3'),
    'onedl-mmengine': ('0.10.12', '1'),
}
# mmdet 3.3.0 refuses mmcv 2.2 when it is imported.
_OPENMMLAB = {
    'mmdet': ('3.3.0', '4'),
    'mmcv': ('2.1.0', '2.2.0'),
    'mmcv-lite': ('2.1.0', '2.2.0'),
    'mmengine': ('0.10.7', '1'),
    'mmengine-lite': ('0.10.7', '1'),
}
_TORCH = {'torch': ('2.6', None)}
# Why a version is refused that would run.
_REASONS = {'torch': ', in which a checkpoint can run code (CVE-2025-32434)'}
# Before, a hostile checkpoint can corrupt memory there (CVE-2026-24747).
_SAFE_TORCH = '2.10'
_MODULES = {'mmdet': 'MMDetection', 'mmcv': 'MMCV', 'mmengine': 'MMEngine'}


class Fault(NamedTuple):
    """What is wrong with the installed packages.

    Attributes:
        what: It, as a clause.
        fix: What to do, as a clause.
    """

    what: str
    fix: str

    @property
    def sentence(self) -> str:
        """Both in one sentence."""
        return f'{self.what}: {self.fix}.'


class PackagesError(M2DetError, ImportError):
    """Packages are missing or cannot work together."""


def check_environment() -> None:
    """Raise where the installed packages cannot work together.

    Warns, in the log of this package, of a PyTorch that is unsafe with checkpoints of
    others.

    Raises:
        PackagesError: One sentence on what is wrong and what to install.
    """
    versions = framework_versions()
    problem = find_problem(versions, framework_modules())
    if problem:
        raise PackagesError(problem)
    danger = find_danger(versions)
    if danger:
        logging.getLogger('m2det_mmdet').warning(danger.sentence)


def framework_versions() -> dict[str, str]:
    """Versions of what is installed of PyTorch and of both lines of MMDetection."""
    return installed_versions([*_ONEDL, *_OPENMMLAB, *_TORCH])


def framework_modules() -> list[str]:
    """Names of PyTorch and MMDetection that Python would find."""
    return [name for name in (*_MODULES, 'torch') if find_spec(name)]


def lines_of(versions: Iterable[str]) -> list[str]:
    """Lines of MMDetection, ``onedl`` and ``open-mmlab``, of which parts are there."""
    names = {*versions}
    lines = {'onedl': _ONEDL, 'open-mmlab': _OPENMMLAB}
    return [line for line, parts in lines.items() if names & parts.keys()]


def find_danger(versions: Mapping[str, str]) -> Fault | None:
    """Say what is unsafe about a set of distributions that work together."""
    # A dependency of MMEngine, which is there by now.
    from packaging.version import Version

    torch = versions.get('torch')
    if torch is None or Version(torch) >= Version(_SAFE_TORCH):
        return None
    return Fault(
        f'PyTorch {torch} can be harmed by a hostile checkpoint (CVE-2026-24747)',
        f'load only your own, or install {_SAFE_TORCH} or later',
    )


def find_problem(
    versions: Mapping[str, str], modules: list[str] | tuple[str, ...]
) -> str | None:
    """Say what is wrong with a set of installed distributions.

    Args:
        versions: Version of each installed distribution that matters.
        modules: Names that can be imported; a source checkout on the path has a
            module without a distribution.

    Returns:
        One sentence, or ``None`` where all is well.
    """
    fault = next(find_faults(versions, modules), None)
    return None if fault is None else fault.sentence


def find_faults(
    versions: Mapping[str, str], modules: list[str] | tuple[str, ...]
) -> Iterator[Fault]:
    """Yield all that is wrong with a set of installed distributions, worst first.

    Arguments are those of :func:`find_problem`.

    Raises:
        ImportError: After what is missing or mixed, if there is no ``packaging``.
    """
    onedl = [name for name in _ONEDL if name in versions]
    openmmlab = [name for name in _OPENMMLAB if name in versions]
    if 'torch' not in modules:
        yield Fault(
            'm2det needs PyTorch, which is not installed', '`pip install torch`'
        )
    if onedl and openmmlab:
        yield _mixed(onedl, openmmlab)
    missing = [_MODULES[name] for name in _MODULES if name not in modules]
    if missing:
        yield _missing(missing, onedl, openmmlab)
    yield from _wrong_versions(versions)


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _mixed(onedl: list[str], openmmlab: list[str]) -> Fault:
    found = ' '.join(onedl + openmmlab)
    return Fault(
        'Two lines of MMDetection are installed over each other, '
        f'{", ".join(onedl)} and {", ".join(openmmlab)}',
        f'remove all of them with `pip uninstall {found}` and install one line, '
        f"{_INSTALL} or `pip install 'm2det[openmmlab]'`",
    )


def _missing(missing: list[str], onedl: list[str], openmmlab: list[str]) -> Fault:
    extra = 'openmmlab' if openmmlab and not onedl else 'onedl'
    return Fault(
        f'm2det needs {" and ".join(missing)}, which cannot be imported',
        f"`pip install 'm2det[{extra}]'`",
    )


def _wrong_versions(versions: Mapping[str, str]) -> Iterator[Fault]:
    # A dependency of MMEngine, which is there by now.
    from packaging.version import Version

    for name, (lowest, end) in {**_ONEDL, **_OPENMMLAB, **_TORCH}.items():
        if name not in versions:
            continue
        version = Version(versions[name])
        if version < Version(lowest) or (end and version >= Version(end)):
            wanted = f'{name}>={lowest},<{end}' if end else f'{name}>={lowest}'
            reason = _REASONS.get(name, '')
            yield Fault(
                f'm2det does not work with {name} {version}{reason}',
                f"`pip install '{wanted}'`",
            )
