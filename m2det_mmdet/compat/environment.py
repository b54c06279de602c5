"""Checks, before anything else is imported, that one line of MMDetection is there.

MMDetection exists in two lines with the same import names: open-mmlab's (``mmdet``,
``mmcv`` or ``mmcv-lite``, ``mmengine``) and the maintained onedl line. What is missing,
mixed or too old otherwise shows as an error far from its cause.
"""

import logging
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec

from ..utils.errors import M2DetError

_INSTALL = "`pip install 'm2det[onedl]'`"

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
# Before 2.6 a checkpoint runs code in PyTorch's restricted reader (CVE-2025-32434).
_TORCH = {'torch': ('2.6', None)}
# Before, a hostile checkpoint can corrupt memory there (CVE-2026-24747).
_SAFE_TORCH = '2.10'
_MODULES = {'mmdet': 'MMDetection', 'mmcv': 'MMCV', 'mmengine': 'MMEngine'}


class PackagesError(M2DetError, ImportError):
    """Packages are missing or cannot work together."""


def check_environment() -> None:
    """Raise where the installed packages cannot work together.

    Warns, in the log of this package, of a PyTorch that is unsafe with checkpoints of
    others.

    Raises:
        PackagesError: One sentence on what is wrong and what to install.
    """
    versions = _installed([*_ONEDL, *_OPENMMLAB, *_TORCH])
    modules = [name for name in (*_MODULES, 'torch') if find_spec(name)]
    problem = find_problem(versions, modules)
    if problem:
        raise PackagesError(problem)
    warning = find_danger(versions)
    if warning:
        logging.getLogger('m2det_mmdet').warning(warning)


def find_danger(versions: Mapping[str, str]) -> str | None:
    """Say what is unsafe about a set of distributions that work together."""
    # A dependency of MMEngine, which is there by now.
    from packaging.version import Version

    torch = versions.get('torch')
    if torch is None or Version(torch) >= Version(_SAFE_TORCH):
        return None
    return (
        f'PyTorch {torch} can be harmed by a hostile checkpoint (CVE-2026-24747): load '
        f'only your own, or install {_SAFE_TORCH} or later.'
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
    onedl = [name for name in _ONEDL if name in versions]
    openmmlab = [name for name in _OPENMMLAB if name in versions]
    return (
        _missing_torch(modules)
        or _mixed(onedl, openmmlab)
        or _missing(modules, onedl, openmmlab)
        or _wrong_version(versions)
    )


def _installed(names: list[str]) -> dict[str, str]:
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _missing_torch(modules: list[str] | tuple[str, ...]) -> str | None:
    if 'torch' in modules:
        return None
    return 'm2det needs PyTorch, which is not installed: `pip install torch`.'


def _mixed(onedl: list[str], openmmlab: list[str]) -> str | None:
    if not (onedl and openmmlab):
        return None
    found = ' '.join(onedl + openmmlab)
    return (
        'Two lines of MMDetection are installed over each other, '
        f'{", ".join(onedl)} and {", ".join(openmmlab)}: remove all of them with '
        f'`pip uninstall {found}` and install one line, {_INSTALL} or '
        "`pip install 'm2det[openmmlab]'`."
    )


def _missing(
    modules: list[str] | tuple[str, ...], onedl: list[str], openmmlab: list[str]
) -> str | None:
    missing = [name for name in _MODULES if name not in modules]
    if not missing:
        return None
    words = ' and '.join(_MODULES[name] for name in missing)
    extra = 'openmmlab' if openmmlab and not onedl else 'onedl'
    return (
        f'm2det needs {words}, which cannot be imported: '
        f"`pip install 'm2det[{extra}]'`."
    )


def _wrong_version(versions: Mapping[str, str]) -> str | None:
    # A dependency of MMEngine, which is there by now.
    from packaging.version import Version

    for name, (lowest, end) in {**_ONEDL, **_OPENMMLAB, **_TORCH}.items():
        if name not in versions:
            continue
        version = Version(versions[name])
        if version < Version(lowest) or (end and version >= Version(end)):
            wanted = f'{name}>={lowest},<{end}' if end else f'{name}>={lowest}'
            return (
                f"m2det does not work with {name} {version}: `pip install '{wanted}'`."
            )
    return None
