"""What bends the framework, and nothing else.

Nothing here is imported before it is needed: :func:`check_environment` has to run
where MMEngine or MMCV is missing.
"""

from .environment import check_environment
from .quiet import quiet_imports

__all__ = ['check_environment', 'install', 'quiet_imports']


def install() -> None:
    """Supply ``mmcv._ext`` where it does not exist.

    Idempotent. Call it after :func:`check_environment` and before the first import
    of ``mmcv.ops`` or of most of ``mmdet``.
    """
    from . import ext

    ext.install()
