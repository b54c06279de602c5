"""A stand-in for ``mmcv._ext``, the compiled operators of MMCV, where they are absent.

``import mmcv.ops``, and with it most of MMDetection, fails without ``mmcv._ext``, even
for models that call none of its operators. A finder at the end of ``sys.meta_path``
supplies the module. Being last, it is asked only after the usual finders found no
``mmcv._ext``: a compiled extension always wins, and a broken one reports its own error.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

NAME = 'mmcv._ext'


def install() -> None:
    """Append the finder to ``sys.meta_path``, once."""
    if not any(isinstance(finder, PortableExtFinder) for finder in sys.meta_path):
        sys.meta_path.append(PortableExtFinder())


class PortableExtFinder(MetaPathFinder):
    """Finds ``mmcv._ext`` and no other module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Spec of the stand-in, ``None`` for every other name."""
        if fullname != NAME:
            return None
        return ModuleSpec(fullname, PortableExtLoader(), origin=__name__)


class PortableExtLoader(Loader):
    """Fills the module with the operators that exist in plain PyTorch."""

    def exec_module(self, module: ModuleType) -> None:
        """Add the operators, and an explanation for all others."""
        from . import ext_ops, spawn

        operators = {name: getattr(ext_ops, name) for name in ext_ops.__all__}
        module.__dict__.update(operators, __getattr__=_missing_operator)
        spawn.import_package_in_spawned_processes()
        if not spawn.is_spawned():
            _announce(ext_ops.__all__)


def _missing_operator(name: str) -> Callable[..., NoReturn]:
    """Serve a name that the stand-in lacks: mmcv asserts that it exists.

    Raises:
        AttributeError: For private names, which the import system probes.
    """
    if name.startswith('_'):
        raise AttributeError(f'module {NAME!r} has no attribute {name!r}')

    def raise_missing(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f'The operator {name!r} of mmcv needs compiled code, which this '
            'installation of mmcv lacks. Install mmcv with compiled operators: '
            '`pip install --no-build-isolation onedl-mmcv` (with torch, '
            'setuptools<81 and ninja installed) on the onedl line, or '
            '`mim install mmcv` on the open-mmlab line.'
        )

    raise_missing.__name__ = name
    return raise_missing


def _announce(names: Sequence[str]) -> None:
    # Standard logging: MMEngine's logger belongs to the Runner, which comes later. No
    # warning, for nothing is to be done; `m2det doctor` says it, too.
    logging.getLogger('m2det_mmdet').info(
        'mmcv has no compiled operators: m2det_mmdet supplies %s in plain PyTorch.',
        ', '.join(name for name in names if not name.startswith('get_')),
    )
