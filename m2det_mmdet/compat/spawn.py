"""Makes spawned processes import this package before they unpickle anything else.

A data loader worker started by ``spawn`` (the only way on Windows and macOS) begins
with a bare interpreter and unpickles the dataset. Where :mod:`.ext` supplies
``mmcv._ext``, the classes of MMDetection cannot be imported there before this package
is, and a script that imports it below ``if __name__ == '__main__'`` does not do so.
"""

import multiprocessing
from collections.abc import Callable
from importlib import import_module
from multiprocessing import context
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

_PACKAGE = __name__.partition('.')[0]
_PROCESS_TYPES = ('Process', 'SpawnProcess', 'ForkServerProcess')


def import_package_in_spawned_processes() -> None:
    """Let the pickle of a process name a function of this module first.

    Unpickling looks that function up, hence imports this package, before it comes
    to the arguments of the process. Holds for the process types of the standard
    library, which ``torch.utils.data`` and ``concurrent.futures`` use, not for
    subclasses of them.
    """
    for name in _PROCESS_TYPES:
        if hasattr(context, name):
            ForkingPickler.register(getattr(context, name), _reduce_process)


def is_spawned() -> bool:
    """Whether this process is a child that multiprocessing started."""
    # While a child unpickles its task it has no parent yet, only this mark.
    unpickling = getattr(multiprocessing.current_process(), '_inheriting', False)
    return unpickling or multiprocessing.parent_process() is not None


def _reduce_process(process: BaseProcess) -> tuple[Any, ...]:
    rebuild, args, *state = process.__reduce_ex__(2)
    return _rebuild_process, (rebuild, args), *state


def _rebuild_process(rebuild: Callable[..., BaseProcess], args: tuple) -> BaseProcess:
    # A process that the command `m2det` starts imports the package without it.
    import_module(_PACKAGE).register()
    return rebuild(*args)
