"""Imports MMDetection without what it says of packages that nobody asked for."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

# Packages that MMDetection's onedl line looks for in vain, and one that its other line
# imports though it is deprecated.
_FOREIGN = ('faster_coco_eval is not installed', 'pkg_resources is deprecated')


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Drop what is printed while modules of MMDetection are imported.

    Warnings pass, but for those of :data:`_FOREIGN`.
    """
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        for message in _FOREIGN:
            warnings.filterwarnings('ignore', message)
        yield
