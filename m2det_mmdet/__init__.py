"""M2Det, its multi-level feature pyramid and their neighbours for MMDetection.

Importing the package checks that mmdet, mmcv and mmengine fit together, makes
mmcv usable without compiled operators and checkpoints safe to load, and
registers what configs name.
"""

import sys
from contextlib import redirect_stdout

from .compat import check_environment, install
from .version import __version__

check_environment()
install()

# What follows imports mmdet, which needs `install` to have run. The onedl line prints
# meanwhile; standard output belongs to the results of commands.
with redirect_stdout(sys.stderr):
    from . import (
        convert,
        datasets,
        dense_heads,
        detectors,
        engine,
        necks,
        task_modules,
    )

__all__ = [
    '__version__',
    'convert',
    'datasets',
    'dense_heads',
    'detectors',
    'engine',
    'necks',
    'task_modules',
]
