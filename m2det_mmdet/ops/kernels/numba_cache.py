"""Loops compiled by numba, kept in the user's cache folder.

numba's own first choice is ``__pycache__`` beside the source. ``pip uninstall`` leaves
its files there, and a folder without ``__init__.py`` passes for a package.
"""

from collections.abc import Callable

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache


class _Files(CompileResultCacheImpl):
    """Files in ``NUMBA_CACHE_DIR`` or in numba's folder of the user's cache."""

    _locator_classes = [
        locator
        for locator in CompileResultCacheImpl._locator_classes
        # Lower versions of numba begin these names with an underscore.
        if 'InTree' not in locator.__name__
    ]


class _Cache(FunctionCache):
    _impl_class = _Files


def compiled(function: Callable) -> Callable:
    """Compile at the first call, and keep the result if a folder is writable."""
    loops = numba.njit(function, nogil=True, error_model='numpy')
    try:
        loops._cache = _Cache(function)
    # What numba raises if no folder can be written.
    except RuntimeError:
        forget_files(loops)
    return loops


def forget_files(loops: Callable) -> None:
    """Neither read nor write files of compiled loops from now on."""
    loops._cache = NullCache()
