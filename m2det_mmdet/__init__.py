"""M2Det, its multi-level feature pyramid and their neighbours for MMDetection.

Importing the package checks that mmdet, mmcv and mmengine fit together, makes
mmcv usable without compiled operators and checkpoints safe to load, and
registers what configs name.
"""

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .apis import Detector, M2DetError, Prediction

__all__ = ['Detector', 'M2DetError', 'Prediction', '__version__', 'register']

# What programs import from here; it costs nothing before.
_OF_APIS = ('Detector', 'M2DetError', 'Prediction')


@cache
def register() -> None:
    """Do what importing the package does; the command ``m2det`` calls it late.

    Raises:
        ImportError: One sentence on packages that are missing or do not fit.
    """
    from . import compat

    compat.check_environment()
    compat.install()
    with compat.quiet_imports():
        from . import (  # noqa: F401
            checkpoints,
            datasets,
            engine,
            evaluation,
            models,
            visualization,
        )
        from .compat import (
            coco_eval,
            config_scope,
            distributed,
            ssd_head,
            whole_files,
        )
        from .models import pyramid_check

        checkpoints.install()
        config_scope.install()
        coco_eval.install()
        distributed.install()
        ssd_head.install()
        whole_files.install()
        pyramid_check.install()


def __getattr__(name: str) -> Any:
    """Import what programs need when they ask for it."""
    if name not in _OF_APIS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from . import apis

    return getattr(apis, name)


def __dir__() -> list[str]:
    """Return the names of the module, with those that are imported late."""
    return sorted({*globals(), *__all__})


# The command parses its arguments before it needs MMDetection.
if 'm2det_command' not in sys.modules:
    register()
