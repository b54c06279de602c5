"""Keeps what Ray prints about its own processes off the console.

Ray's options silence its log and what tasks print, but not what its daemons say of each
process that dies: its worker module calls a function of its own for that, which this
module replaces for a while. The sentences of the jobs say it instead.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_PLACE, _NAME = 'ray._private.worker', 'print_to_stdstream'


@contextmanager
def no_ray_prints() -> Iterator[None]:
    """Let Ray's daemons print nothing through this process while the block lasts."""
    module = import_module(_PLACE)
    former = getattr(module, _NAME, None)
    if former is None:
        # Another version of Ray, whose daemons may be heard.
        yield
        return
    setattr(module, _NAME, _note)
    try:
        yield
    finally:
        setattr(module, _NAME, former)


def _note(data: dict, *_: object, **__: object) -> None:
    logging.getLogger(__name__).debug('Ray says: %s', data.get('lines'))
