"""What bends the framework, and nothing else.

Nothing here is imported before it is needed: :func:`check_environment` has to run
where MMEngine or MMCV is missing.
"""

from .environment import check_environment

__all__ = ['check_environment', 'install']


def install() -> None:
    """Supply ``mmcv._ext`` where it does not exist and make checkpoints load safely.

    Idempotent. Call it after :func:`check_environment` and before the first import
    of ``mmcv.ops`` or of most of ``mmdet``.
    """
    from . import ext

    ext.install()
    # Imports MMEngine's runner, which may import mmcv's operators.
    from ..checkpoints import loading as checkpoint

    checkpoint.install()
