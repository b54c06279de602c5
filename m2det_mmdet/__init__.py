"""M2Det, its multi-level feature pyramid and their neighbours for MMDetection.

Importing the package checks that mmdet, mmcv and mmengine fit together, makes
mmcv usable without compiled operators and checkpoints safe to load, and
registers what configs name.
"""

from .compat import check_environment, install
from .version import __version__

check_environment()
install()

# What follows imports mmdet, which needs `install` to have run.
from . import convert, datasets, engine, evaluation, models  # noqa: E402

__all__ = [
    '__version__',
    'convert',
    'datasets',
    'engine',
    'evaluation',
    'models',
]
