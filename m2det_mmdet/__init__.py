"""M2Det, its multi-level feature pyramid and their neighbours for MMDetection.

Importing the package checks that mmdet, mmcv and mmengine fit together, makes
mmcv usable without compiled operators and checkpoints safe to load, and
registers what configs name.
"""

import sys
from functools import cache

from .version import __version__

__all__ = ['__version__', 'register']


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
        from .compat import coco_eval, config_scope, ssd_head, whole_files
        from .models import pyramid_check

        checkpoints.install()
        config_scope.install()
        coco_eval.install()
        ssd_head.install()
        whole_files.install()
        pyramid_check.install()


# The command parses its arguments before it needs MMDetection.
if 'm2det_command' not in sys.modules:
    register()
