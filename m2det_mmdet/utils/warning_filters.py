"""Python's filters of warnings, which are those of all threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def own_filters() -> Iterator[None]:
    """Let the block change the filters of warnings, and take that back at its end.

    Other threads that want to change them, too, wait: where two overlap, the first to
    end would leave all with the filters of the second.
    """
    with _lock, warnings.catch_warnings():
        yield
